// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>Buttons and sliders that steer a player in play mode, as a game would.</summary>
    internal sealed class PlayerControls
    {
        private const float ButtonWidth = 110f;
        private readonly Dictionary<string, float> _values = new Dictionary<string, float>();
        private SoundtrackSession _session;
        private bool _paused;
        private string _state = "";
        private string _event = "";
        private string _stinger = "";
        private string _parameter = "";
        private float _value;

        public void Draw(SoundtrackPlayer player)
        {
            if (!ReferenceEquals(_session, player.Session))
            {
                _session = player.Session;
                _paused = false;
                _values.Clear();
            }
            Transport(player);
            using (new EditorGUI.DisabledScope(player.Session == null))
            {
                var outline = Outlines.Of(player.Asset, out string wrong);
                if (wrong.Length > 0) EditorGUILayout.HelpBox(wrong, MessageType.Error);
                if (outline == null) ByName(player);
                else Named(player, outline);
            }
        }

        private void Transport(SoundtrackPlayer player)
        {
            EditorGUILayout.BeginHorizontal();
            using (new EditorGUI.DisabledScope(player.Session != null))
                if (GUILayout.Button("Play")) player.Play();
            using (new EditorGUI.DisabledScope(player.Session == null))
            {
                bool paused = GUILayout.Toggle(_paused, "Pause", GUI.skin.button);
                if (paused != _paused) player.SetPaused(_paused = paused);
                if (GUILayout.Button("Stop")) player.Stop();
            }
            EditorGUILayout.EndHorizontal();
        }

        private void Named(SoundtrackPlayer player, SoundtrackOutline outline)
        {
            Buttons("States", outline.States, player.SetState);
            Buttons("Events", outline.Events, player.PostEvent);
            Buttons("Stingers", outline.Stingers, player.PostTrigger);
            if (outline.Parameters.Count > 0) EditorGUILayout.LabelField("Parameters", EditorStyles.miniBoldLabel);
            foreach (var parameter in outline.Parameters)
            {
                float old = _values.TryGetValue(parameter.Name, out float found) ? found : (float)parameter.Default;
                float now = EditorGUILayout.Slider(parameter.Name, old, (float)parameter.Minimum, (float)parameter.Maximum);
                if (now == old) continue;
                _values[parameter.Name] = now;
                player.SetParameter(parameter.Name, now);
            }
        }

        private static void Buttons(string title, IReadOnlyList<string> names, Action<string> send)
        {
            if (names.Count == 0) return;
            EditorGUILayout.LabelField(title, EditorStyles.miniBoldLabel);
            int across = Math.Max(1, (int)(EditorGUIUtility.currentViewWidth / ButtonWidth));
            for (int begin = 0; begin < names.Count; begin += across)
            {
                EditorGUILayout.BeginHorizontal();
                for (int i = begin; i < Math.Min(begin + across, names.Count); i++)
                    if (GUILayout.Button(names[i], EditorStyles.miniButton)) send(names[i]);
                EditorGUILayout.EndHorizontal();
            }
        }

        /// <summary>Without an asset, names are typed.</summary>
        private void ByName(SoundtrackPlayer player)
        {
            EditorGUILayout.HelpBox("With the soundtrack's asset, its names would be here as buttons.", MessageType.None);
            _state = Field("State", _state, player.SetState);
            _event = Field("Event", _event, player.PostEvent);
            _stinger = Field("Stinger", _stinger, player.PostTrigger);
            EditorGUILayout.BeginHorizontal();
            _parameter = EditorGUILayout.TextField("Parameter", _parameter);
            _value = EditorGUILayout.FloatField(_value, GUILayout.Width(60f));
            if (GUILayout.Button("Set", EditorStyles.miniButton, GUILayout.Width(50f)) && _parameter.Length > 0)
                player.SetParameter(_parameter, _value);
            EditorGUILayout.EndHorizontal();
        }

        private static string Field(string label, string text, Action<string> send)
        {
            EditorGUILayout.BeginHorizontal();
            text = EditorGUILayout.TextField(label, text);
            if (GUILayout.Button("Send", EditorStyles.miniButton, GUILayout.Width(50f)) && text.Length > 0) send(text);
            EditorGUILayout.EndHorizontal();
            return text;
        }
    }
}
