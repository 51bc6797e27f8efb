// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Segue;
using UnityEditor;
using UnityEngine;
using Event = Segue.V1.Event;

namespace SegueEditor
{
    /// <summary>How a player has fared in the last minute of play mode: buffer, network, adherence, states, and what happened.</summary>
    internal sealed class SoundtrackProfiler : EditorWindow
    {
        private const int Listed = 200;
        private const double LookEvery = 1.0;
        private readonly SessionHistory _history = new SessionHistory();
        private readonly ProfilerGraph[] _graphs =
        {
            new ProfilerGraph("Buffer", "ms", "0", new Color(0.4f, 0.85f, 0.45f), reading => reading.BufferMs, 0f, 300f),
            new ProfilerGraph("Round trip", "ms", "0.#", new Color(0.95f, 0.75f, 0.3f), reading => reading.RoundTripMs, 0f, 50f),
            new ProfilerGraph("Adherence", "", "0.00", new Color(0.7f, 0.55f, 1f), reading => reading.Adherence, 0f, 1f),
            new ProfilerGraph("Rate", "ppm", "+0;-0;0", new Color(0.4f, 0.75f, 0.95f), reading => reading.RatePpm, -500f, 500f),
        };

        // When assemblies are loaded anew in play mode, events have to be subscribed to again.
        [NonSerialized] private List<SoundtrackPlayer> _players = new List<SoundtrackPlayer>();
        [NonSerialized] private SoundtrackPlayer _player;
        [NonSerialized] private SoundtrackSession _session;
        private Vector2 _scroll;
        private double _looked;
        private double _end;
        private bool _isHeld;

        [MenuItem("Window/Audio/Segue Soundtrack Profiler")]
        private static void Open() => GetWindow<SoundtrackProfiler>("Soundtrack Profiler");

        private void OnEnable() => EditorApplication.update += Sample;

        private void OnDisable()
        {
            EditorApplication.update -= Sample;
            Watch(null);
        }

        /// <summary>As often as the editor looks; a reading is taken when it is due.</summary>
        private void Sample()
        {
            double now = EditorApplication.timeSinceStartup;
            if (!EditorApplication.isPlaying)
            {
                // What was seen stays, to be looked at after playing.
                Watch(null);
                return;
            }
            if (now - _looked > LookEvery)
            {
                _looked = now;
                _players = Resources.FindObjectsOfTypeAll<SoundtrackPlayer>().Where(player => !EditorUtility.IsPersistent(player)).ToList();
                if (_player == null) Watch(_players.FirstOrDefault());
            }
            if (_isHeld || _player == null || !_history.IsDue(now)) return;
            var session = _player.Session;
            if (!ReferenceEquals(session, _session))
            {
                _session = session;
                _history.Begin(now, session == null ? "stopped" : "session of " + _player.name);
            }
            if (session != null) _history.Add(SessionReading.Of(session, now));
            _end = now;
            Repaint();
        }

        private void Watch(SoundtrackPlayer player)
        {
            if (ReferenceEquals(player, _player)) return;
            // A player that is destroyed is still there to be let go of.
            if (!ReferenceEquals(_player, null)) _player.OnEvent -= Heard;
            _player = player;
            _session = null;
            if (player != null) player.OnEvent += Heard;
        }

        private void Heard(Event heard)
        {
            if (!_isHeld) _history.Add(EditorApplication.timeSinceStartup, heard);
        }

        private void OnGUI()
        {
            Toolbar();
            if (_history.Readings.Count == 0 && _history.Marks.Count == 0)
            {
                EditorGUILayout.HelpBox("Play a scene with a SoundtrackPlayer: what it does is drawn here.", MessageType.Info);
                return;
            }
            ProfilerLane.Draw(_history, _end);
            foreach (var graph in _graphs) graph.Draw(_history, _end);
            EditorGUILayout.LabelField("Lines: red underrun, blue take, white connection", EditorStyles.miniLabel);
            Log();
        }

        private void Toolbar()
        {
            EditorGUILayout.BeginHorizontal(EditorStyles.toolbar);
            var alive = _players.Where(player => player != null).ToList();
            int at = alive.IndexOf(_player);
            int chosen = EditorGUILayout.Popup(at, alive.Select((player, i) => i + 1 + " " + player.name).ToArray(), EditorStyles.toolbarPopup);
            if (chosen != at && chosen >= 0 && chosen < alive.Count)
            {
                _history.Clear();
                Watch(alive[chosen]);
            }
            GUILayout.FlexibleSpace();
            _isHeld = GUILayout.Toggle(_isHeld, "Hold", EditorStyles.toolbarButton);
            if (GUILayout.Button("Clear", EditorStyles.toolbarButton)) _history.Clear();
            // A dialog in the midst of drawing would lose the groups that are open.
            if (GUILayout.Button("Save as CSV…", EditorStyles.toolbarButton)) EditorApplication.delayCall += Save;
            EditorGUILayout.EndHorizontal();
        }

        private void Log()
        {
            _scroll = EditorGUILayout.BeginScrollView(_scroll);
            var marks = _history.Marks;
            for (int i = marks.Count - 1; i >= Math.Max(0, marks.Count - Listed); i--)
            {
                string before = (marks[i].Time - _end).ToString("0.0", CultureInfo.InvariantCulture) + " s";
                EditorGUILayout.LabelField(before, marks[i].Kind.ToString().ToLowerInvariant() + ": " + marks[i].Text);
            }
            EditorGUILayout.EndScrollView();
        }

        private void Save()
        {
            string path = EditorUtility.SaveFilePanel("Save the last minute", "", "soundtrack-profile", "csv");
            if (string.IsNullOrEmpty(path)) return;
            try
            {
                File.WriteAllText(path, HistoryCsv.Write(_history));
                Debug.Log("Segue: wrote " + path);
            }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException)
            {
                Debug.LogError("Segue: the profile was not saved. " + error.Message);
            }
        }
    }
}
