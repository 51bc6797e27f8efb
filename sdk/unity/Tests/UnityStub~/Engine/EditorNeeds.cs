// SPDX-License-Identifier: Apache-2.0
// Signatures as Unity 2021.3 has them, of what the package's Editor part uses of UnityEngine; what they do is Desk's.
using System;
using System.Linq;
using Segue.Rehearsal;

namespace UnityEngine
{
    public struct Vector2
    {
        public float x;
        public float y;

        public Vector2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }
    }

    public partial struct Vector3
    {
        public float x;
        public float y;
        public float z;

        public Vector3(float x, float y)
            : this(x, y, 0f) { }

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }
    }

    public struct Rect
    {
        public Rect(float x, float y, float width, float height)
        {
            this.x = x;
            this.y = y;
            this.width = width;
            this.height = height;
        }

        public float x { get; set; }

        public float y { get; set; }

        public float width { get; set; }

        public float height { get; set; }
    }

    public partial struct Color
    {
        public float r;
        public float g;
        public float b;
        public float a;

        public Color(float r, float g, float b)
            : this(r, g, b, 1f) { }

        public Color(float r, float g, float b, float a)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            this.a = a;
        }

        public static Color HSVToRGB(float H, float S, float V) => new Color(H, S, V);
    }

    public class Texture : Object { }

    public class GUIContent
    {
        public GUIContent(string text) => this.text = text;

        public string text { get; set; }
    }

    public sealed class GUIStyle { }

    public sealed class GUISkin : ScriptableObject
    {
        public GUIStyle button { get; set; } = new GUIStyle();
    }

    public partial class GUI
    {
        public static GUISkin skin { get; set; } = new GUISkin();

        public static bool enabled { get; set; }

        public static void Label(Rect position, string text, GUIStyle style) => Desk.Note(text);
    }

    public sealed class GUILayoutOption
    {
        internal GUILayoutOption() { }
    }

    public partial class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options) => Desk.Button(text);

        public static bool Button(string text, GUIStyle style, params GUILayoutOption[] options) => Desk.Button(text);

        public static bool Toggle(bool value, string text, GUIStyle style, params GUILayoutOption[] options) => Desk.Field(text, value);

        public static void FlexibleSpace() { }

        public static GUILayoutOption Width(float width) => new GUILayoutOption();
    }

    public sealed class Resources
    {
        public static T[] FindObjectsOfTypeAll<T>() => Desk.Existing.OfType<T>().ToArray();
    }
}
