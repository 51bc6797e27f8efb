// SPDX-License-Identifier: Apache-2.0
using System;
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>States along the time, in colours of their own, and transitions below them.</summary>
    internal static class ProfilerLane
    {
        private const float StateHeight = 20f;
        private const float TransitionHeight = 8f;
        private const float NarrowestLabel = 24f;

        /// <param name="end">Time at the right edge.</param>
        public static void Draw(SessionHistory history, double end)
        {
            var rect = EditorGUILayout.GetControlRect(false, StateHeight + TransitionHeight + 2f);
            var states = new Rect(rect.x, rect.y, rect.width, StateHeight);
            var transitions = new Rect(rect.x, rect.y + StateHeight + 2f, rect.width, TransitionHeight);
            Draw(states, history, end, history.States.States, true);
            Draw(transitions, history, end, history.States.Transitions, false);
            ProfilerMarks.Draw(states, history, end);
        }

        private static void Draw(Rect lane, SessionHistory history, double end, Recent<StateStretch> stretches, bool isNamed)
        {
            for (int i = 0; i < stretches.Count; i++)
            {
                var stretch = stretches[i];
                float from = Math.Max(lane.x, ProfilerMarks.X(lane, history, end, stretch.Begin));
                float to = Math.Min(lane.x + lane.width, ProfilerMarks.X(lane, history, end, Math.Min(end, stretch.End)));
                if (to <= from) continue;
                var rect = new Rect(from, lane.y, to - from, lane.height);
                EditorGUI.DrawRect(rect, Of(stretch.State));
                if (isNamed && rect.width > NarrowestLabel) GUI.Label(rect, stretch.State, EditorStyles.whiteMiniLabel);
            }
        }

        /// <summary>A colour for a name; the same in every session and on every machine.</summary>
        private static Color Of(string name)
        {
            uint hash = 2166136261;
            foreach (char c in name) hash = unchecked((hash ^ c) * 16777619);
            return Color.HSVToRGB(hash % 360 / 360f, 0.55f, 0.55f);
        }
    }
}
