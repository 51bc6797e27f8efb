// SPDX-License-Identifier: Apache-2.0
// Signatures as Unity 2021.3 has them, of what the package uses; what they do is Stage's.
using System;
using System.Collections;
using System.Collections.Generic;
using Segue.Rehearsal;

namespace UnityEngine
{
    public class Object
    {
        internal bool IsDestroyed;

        public string name { get; set; } = "";

        public static bool operator ==(Object a, Object b)
        {
            bool isNoA = a is null || a.IsDestroyed, isNoB = b is null || b.IsDestroyed;
            return isNoA || isNoB ? isNoA && isNoB : ReferenceEquals(a, b);
        }

        public static bool operator !=(Object a, Object b) => !(a == b);

        public static implicit operator bool(Object exists) => exists != null;

        public static void Destroy(Object obj) => Stage.Current.Destroy(obj, false);

        public static void DestroyImmediate(Object obj) => Stage.Current.Destroy(obj, true);

        public int GetInstanceID() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        public override bool Equals(object other) => this == other as Object;

        public override int GetHashCode() => GetInstanceID();
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>()
            where T : ScriptableObject => (T)CreateInstance(typeof(T));

        public static ScriptableObject CreateInstance(Type type) => (ScriptableObject)Activator.CreateInstance(type);
    }

    public sealed partial class GameObject : Object
    {
        internal readonly List<Component> Components = new List<Component>();

        public GameObject() : this("New Game Object") { }

        public GameObject(string name)
        {
            this.name = name;
            Stage.Current.Add(this);
        }

        public bool activeSelf { get; private set; } = true;

        public bool activeInHierarchy => activeSelf;

        public void SetActive(bool value)
        {
            if (value == activeSelf) return;
            activeSelf = value;
            Stage.Current.Turned(this);
        }

        public T AddComponent<T>()
            where T : Component => (T)AddComponent(typeof(T));

        public Component AddComponent(Type componentType) => Stage.Current.AddComponent(this, componentType);

        public T GetComponent<T>()
        {
            foreach (var component in Components)
                if (component is T found) return found;
            return default;
        }
    }

    public partial class Component : Object
    {
        public GameObject gameObject { get; internal set; }

        public T GetComponent<T>() => gameObject.GetComponent<T>();
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;

        public bool enabled
        {
            get => _enabled;
            set
            {
                if (value == _enabled) return;
                _enabled = value;
                Stage.Current.Turned(gameObject);
            }
        }

        public bool isActiveAndEnabled => _enabled && !IsDestroyed && gameObject.activeInHierarchy;
    }

    public class MonoBehaviour : Behaviour
    {
        internal readonly List<Coroutine> Coroutines = new List<Coroutine>();
        internal Actor Actor;

        public Coroutine StartCoroutine(IEnumerator routine) => Stage.Current.Start(this, routine);

        public void StopCoroutine(Coroutine routine) => Stage.Stop(this, routine);

        public void StopAllCoroutines() => Coroutines.Clear();
    }

    public class YieldInstruction { }

    public sealed class Coroutine : YieldInstruction
    {
        internal readonly Stack<IEnumerator> Running = new Stack<IEnumerator>();
        internal object Waited;
    }

    public class AsyncOperation : YieldInstruction
    {
        internal Func<bool> Done = () => true;

        public bool isDone => Done();
    }

    /// <summary>There is one, and it is not ours.</summary>
    public sealed class Event { }
}
