// SPDX-License-Identifier: Apache-2.0
// Signatures as Unity 2021.3 has them, of what the package's Editor part uses of UnityEditor.
using System;
using System.Reflection;
using Segue.Rehearsal;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityEditor
{
    public class Editor : ScriptableObject
    {
        public Object target { get; set; }

        public Object[] targets => new[] { target };

        public SerializedObject serializedObject => new SerializedObject(target);

        public virtual void OnInspectorGUI() => DrawDefaultInspector();

        public virtual bool RequiresConstantRepaint() => false;

        public bool DrawDefaultInspector()
        {
            Desk.Note("default inspector");
            return false;
        }
    }

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title)
            where T : EditorWindow => Project.Open<T>();

        public void Repaint() => Project.Repaints++;
    }

    public class SerializedObject : IDisposable
    {
        private readonly Object _of;

        public SerializedObject(Object obj) => _of = obj;

        public SerializedProperty FindProperty(string propertyPath)
        {
            var field = _of.GetType().GetField(propertyPath, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);
            return field == null ? null : new SerializedProperty(field.GetValue(_of));
        }

        public void Dispose() { }
    }

    public class SerializedProperty : IDisposable
    {
        internal SerializedProperty(object value) => intValue = value is int whole ? whole : 0;

        public int intValue { get; set; }

        public void Dispose() { }
    }

    public class CustomEditor : Attribute
    {
        public CustomEditor(Type inspectedType) { }
    }

    public class CanEditMultipleObjects : Attribute { }

    [AttributeUsage(AttributeTargets.Class)]
    public class InitializeOnLoadAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method)]
    public class InitializeOnLoadMethodAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class MenuItem : Attribute
    {
        public string menuItem;
        public bool validate;
        public int priority;

        public MenuItem(string itemName)
            : this(itemName, false) { }

        public MenuItem(string itemName, bool isValidateFunction)
            : this(itemName, isValidateFunction, 1000) { }

        public MenuItem(string itemName, bool isValidateFunction, int priority)
        {
            menuItem = itemName;
            validate = isValidateFunction;
            this.priority = priority;
        }
    }

    public enum MessageType
    {
        None,
        Info,
        Warning,
        Error,
    }
}
