// SPDX-License-Identifier: Apache-2.0
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>Where a moment lies in a graph, and lines for takes, underruns and the connection's changes.</summary>
    internal static class ProfilerMarks
    {
        private static readonly Color Take = new Color(0.35f, 0.55f, 1f, 0.45f);
        private static readonly Color Underrun = new Color(1f, 0.25f, 0.2f, 0.9f);
        private static readonly Color Connection = new Color(1f, 1f, 1f, 0.3f);

        /// <summary>A moment's place; left of the rectangle if it is too long ago.</summary>
        public static float X(Rect rect, SessionHistory history, double end, double time) =>
            rect.x + rect.width * (float)(1.0 - (end - time) / history.Seconds);

        /// <summary>What a mark's line and its text are drawn in.</summary>
        public static Color Of(MarkKind kind) => kind == MarkKind.Take ? Take : kind == MarkKind.Underrun ? Underrun : Connection;

        public static void Draw(Rect rect, SessionHistory history, double end)
        {
            for (int i = history.Marks.Count - 1; i >= 0; i--)
            {
                var mark = history.Marks[i];
                float x = X(rect, history, end, mark.Time);
                if (x < rect.x) return;
                if (mark.Kind != MarkKind.Event) EditorGUI.DrawRect(new Rect(x, rect.y, mark.Kind == MarkKind.Underrun ? 2f : 1f, rect.height), Of(mark.Kind));
            }
        }
    }
}
