// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>One figure of a session along the time: the newest at the right.</summary>
    internal sealed class ProfilerGraph
    {
        private const float Height = 64f;
        private static readonly Color Background = new Color(0.13f, 0.13f, 0.13f);
        private static readonly Color Zero = new Color(1f, 1f, 1f, 0.15f);
        private readonly string _title;
        private readonly string _unit;
        private readonly string _form;
        private readonly Color _color;
        private readonly Func<SessionReading, float> _value;
        private readonly float _lowest;
        private readonly float _highest;
        private Vector3[] _points = new Vector3[0];

        /// <param name="form">How its numbers are written.</param>
        /// <param name="value">The figure; NaN where there is none.</param>
        /// <param name="lowest">The scale goes down to here at least.</param>
        /// <param name="highest">And up to here.</param>
        public ProfilerGraph(string title, string unit, string form, Color color, Func<SessionReading, float> value, float lowest, float highest)
        {
            _title = title;
            _unit = unit;
            _form = form;
            _color = color;
            _value = value;
            _lowest = lowest;
            _highest = highest;
        }

        /// <param name="end">Time at the right edge.</param>
        public void Draw(SessionHistory history, double end)
        {
            var rect = EditorGUILayout.GetControlRect(false, Height);
            EditorGUI.DrawRect(rect, Background);
            var readings = history.Readings;
            Scale(readings, out float low, out float high, out float last);
            ProfilerMarks.Draw(rect, history, end);
            if (low < 0f && high > 0f) EditorGUI.DrawRect(new Rect(rect.x, Y(rect, 0f, low, high), rect.width, 1f), Zero);
            if (_points.Length < readings.Count) _points = new Vector3[readings.Count];
            var before = Handles.color;
            Handles.color = _color;
            int count = 0;
            for (int i = 0; i < readings.Count; i++)
            {
                float value = _value(readings[i]);
                float x = ProfilerMarks.X(rect, history, end, readings[i].Time);
                if (float.IsNaN(value) || x < rect.x) count = Line(count);
                else _points[count++] = new Vector3(x, Y(rect, value, low, high));
            }
            Line(count);
            Handles.color = before;
            string now = float.IsNaN(last) ? "–" : Number(last) + " " + _unit;
            GUI.Label(new Rect(rect.x + 4f, rect.y, rect.width - 8f, 16f), _title + "  " + now, EditorStyles.miniLabel);
            GUI.Label(new Rect(rect.x + 4f, rect.y + rect.height - 16f, rect.width - 8f, 16f), Number(low) + " … " + Number(high), EditorStyles.miniLabel);
        }

        private int Line(int count)
        {
            if (count > 1) Handles.DrawAAPolyLine(2f, count, _points);
            return 0;
        }

        private void Scale(Recent<SessionReading> readings, out float low, out float high, out float last)
        {
            low = _lowest;
            high = _highest;
            last = float.NaN;
            for (int i = 0; i < readings.Count; i++)
            {
                last = _value(readings[i]);
                if (last < low) low = last;
                if (last > high) high = last;
            }
        }

        private static float Y(Rect rect, float value, float low, float high) =>
            rect.y + rect.height - 2f - (value - low) / (high - low) * (rect.height - 4f);

        private string Number(float value) => value.ToString(_form, CultureInfo.InvariantCulture);
    }
}
