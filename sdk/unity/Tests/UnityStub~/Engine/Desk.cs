// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using UnityEngine;

[assembly: InternalsVisibleTo("UnityEditor")]

namespace Segue.Rehearsal
{
    /// <summary>
    /// As much of immediate-mode GUI as an inspector needs to be rehearsed: what is drawn is noted, buttons are pressed and fields
    /// filled in by their texts, and groups have to be closed. One at a time.
    /// </summary>
    public static class Desk
    {
        private static readonly Stack<string> Groups = new Stack<string>();
        private static readonly Dictionary<string, object> Inputs = new Dictionary<string, object>();
        private static string _press = "";
        private static int _disabled;

        /// <summary>What the last drawing has drawn: texts, and the kind of what has none.</summary>
        public static List<string> Drawn { get; } = new List<string>();

        /// <summary>Objects that exist, for those who look for all of a type.</summary>
        public static List<UnityEngine.Object> Existing { get; } = new List<UnityEngine.Object>();

        /// <summary>Draw once. Throws if a group is left open.</summary>
        public static void Draw(Action draw)
        {
            Drawn.Clear();
            GUI.enabled = true;
            draw();
            if (Groups.Count > 0 || _disabled > 0) throw new InvalidOperationException("left open: " + string.Join(", ", Groups) + ", disabled " + _disabled);
        }

        /// <summary>Draw with a button pressed. Throws if there is none that can be.</summary>
        public static void Press(string text, Action draw)
        {
            _press = text;
            Draw(draw);
            bool wasPressed = _press.Length == 0;
            _press = "";
            if (!wasPressed) throw new InvalidOperationException("no button \"" + text + "\" that can be pressed among " + string.Join(" | ", Drawn));
        }

        /// <summary>Draw with a field filled in.</summary>
        public static void Fill(string label, object value, Action draw)
        {
            Inputs[label] = value;
            Draw(draw);
            if (Inputs.Remove(label)) throw new InvalidOperationException("no field \"" + label + "\" that can be filled in among " + string.Join(" | ", Drawn));
        }

        internal static void Note(string text) => Drawn.Add(text);

        internal static bool Button(string text)
        {
            Note("[" + text + "]");
            if (text != _press || !CanBeUsed) return false;
            _press = "";
            return true;
        }

        internal static T Field<T>(string label, T value)
        {
            Note(label + ": " + value);
            if (!CanBeUsed || !Inputs.TryGetValue(label, out object found)) return value;
            Inputs.Remove(label);
            return (T)found;
        }

        internal static void Open(string group) => Groups.Push(group);

        internal static void Close(string group)
        {
            string open = Groups.Count > 0 ? Groups.Pop() : "nothing";
            if (open != group) throw new InvalidOperationException("closed " + group + ", but open was " + open);
        }

        internal static void Disable(int by) => _disabled += by;

        private static bool CanBeUsed => _disabled == 0 && GUI.enabled;
    }
}
