// SPDX-License-Identifier: Apache-2.0
// Signatures as Unity 2021.3 has them, of what the package draws with; what they do is Desk's.
using System;
using Segue.Rehearsal;
using UnityEngine;

namespace UnityEditor
{
    public sealed class EditorGUILayout
    {
        public static void LabelField(string label, params GUILayoutOption[] options) => Desk.Note(label);

        public static void LabelField(string label, GUIStyle style, params GUILayoutOption[] options) => Desk.Note(label);

        public static void LabelField(string label, string label2, params GUILayoutOption[] options) => Desk.Note(label + ": " + label2);

        public static void LabelField(string label, string label2, GUIStyle style, params GUILayoutOption[] options) => Desk.Note(label + ": " + label2);

        public static string TextField(string label, string text, params GUILayoutOption[] options) => Desk.Field(label, text);

        public static float FloatField(float value, params GUILayoutOption[] options) => Desk.Field("number", value);

        public static float Slider(string label, float value, float leftValue, float rightValue, params GUILayoutOption[] options) => Desk.Field(label, value);

        public static int Popup(int selectedIndex, string[] displayedOptions, GUIStyle style, params GUILayoutOption[] options) => Desk.Field("popup " + string.Join(",", displayedOptions), selectedIndex);

        public static bool Foldout(bool foldout, string content, bool toggleOnLabelClick) => Desk.Field(content, foldout);

        public static void HelpBox(string message, MessageType type) => Desk.Note(type + "! " + message);

        public static void Space() => Desk.Note("");

        public static Rect GetControlRect(params GUILayoutOption[] options) => new Rect(0f, 0f, 300f, 18f);

        public static Rect GetControlRect(bool hasLabel, float height, params GUILayoutOption[] options) => new Rect(0f, 0f, 300f, height);

        public static Rect BeginHorizontal(params GUILayoutOption[] options)
        {
            Desk.Open("horizontal");
            return new Rect(0f, 0f, 300f, 18f);
        }

        public static Rect BeginHorizontal(GUIStyle style, params GUILayoutOption[] options)
        {
            Desk.Open("horizontal");
            return new Rect(0f, 0f, 300f, 18f);
        }

        public static void EndHorizontal() => Desk.Close("horizontal");

        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options)
        {
            Desk.Open("scroll");
            return scrollPosition;
        }

        public static void EndScrollView() => Desk.Close("scroll");
    }

    public sealed class EditorGUI
    {
        public static int indentLevel { get; set; }

        public static void DrawRect(Rect rect, Color color) => Desk.Note(Sound(rect, "rect"));

        public static void ProgressBar(Rect position, float value, string text) => Desk.Note(Sound(position, text));

        public static Rect PrefixLabel(Rect totalPosition, GUIContent label) => totalPosition;

        public struct DisabledScope : IDisposable
        {
            private readonly int _by;

            public DisabledScope(bool disabled) => Desk.Disable(_by = disabled ? 1 : 0);

            public void Dispose() => Desk.Disable(-_by);
        }

        /// <summary>What is drawn nowhere is a mistake.</summary>
        private static string Sound(Rect rect, string what)
        {
            float sum = rect.x + rect.y + rect.width + rect.height;
            if (float.IsNaN(sum) || float.IsInfinity(sum) || rect.width < 0f) throw new ArgumentException(what + " at " + rect.x + ", width " + rect.width);
            return what;
        }
    }

    public class EditorGUIUtility
    {
        public static float currentViewWidth => 300f;
    }

    public sealed class EditorStyles
    {
        public static GUIStyle miniLabel => new GUIStyle();

        public static GUIStyle whiteMiniLabel => new GUIStyle();

        public static GUIStyle miniBoldLabel => new GUIStyle();

        public static GUIStyle wordWrappedMiniLabel => new GUIStyle();

        public static GUIStyle miniButton => new GUIStyle();

        public static GUIStyle toolbar => new GUIStyle();

        public static GUIStyle toolbarButton => new GUIStyle();

        public static GUIStyle toolbarPopup => new GUIStyle();
    }

    public sealed class Handles
    {
        public static Color color { get; set; }

        public static void DrawAAPolyLine(float width, int actualNumberOfPoints, params Vector3[] points)
        {
            for (int i = 0; i < actualNumberOfPoints; i++)
                if (float.IsNaN(points[i].x + points[i].y)) throw new ArgumentException("a line through nowhere");
            Desk.Note("line of " + actualNumberOfPoints);
        }
    }
}
