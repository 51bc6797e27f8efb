// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>What a soundtrack is made of, and what can be done with it.</summary>
    [CustomEditor(typeof(SoundtrackAsset))]
    internal sealed class SoundtrackAssetEditor : Editor
    {
        private readonly HashSet<string> _folded = new HashSet<string>();

        public override void OnInspectorGUI()
        {
            var asset = (SoundtrackAsset)target;
            var outline = Outlines.Of(asset, out string wrong);
            if (outline == null)
            {
                EditorGUILayout.HelpBox(wrong, MessageType.Error);
                return;
            }
            // What was imported can't be edited, so Unity greys everything out; reading and buttons change nothing of it.
            bool was = GUI.enabled;
            GUI.enabled = true;
            Buttons(asset);
            Head(outline);
            Section("States", outline.States, state => Row(state, state == outline.Initial ? "at the start" : ""));
            Section("Transitions", outline.Transitions, transition => Row(
                string.Join(", ", transition.From) + " → " + transition.To, transition.Cause + At(transition.ExitSourceAt)));
            Section("Parameters", outline.Parameters, parameter => Row(
                parameter.Name, Number(parameter.Minimum) + " to " + Number(parameter.Maximum) + ", at the start " + Number(parameter.Default)));
            Section("Events", outline.Events, happened => Row(happened, string.Join(", ", outline.Transitions
                .Where(transition => transition.On.Contains(happened)).Select(transition => "→ " + transition.To))));
            Section("Stingers", outline.Stingers, stinger => Row(stinger, ""));
            GUI.enabled = was;
        }

        private static void Buttons(SoundtrackAsset asset)
        {
            EditorGUILayout.BeginHorizontal();
            // Importing in the midst of drawing would draw anew in the midst of it.
            if (GUILayout.Button("Generate Constants")) EditorApplication.delayCall += () => ConstantsFile.Write(asset);
            string path = AssetDatabase.GetAssetPath(asset);
            using (new EditorGUI.DisabledScope(LocalServer.IsRunning || !path.EndsWith(".soundtrack.json", StringComparison.OrdinalIgnoreCase)))
                if (GUILayout.Button("Serve It Here")) LocalServer.Start(path);
            EditorGUILayout.EndHorizontal();
        }

        private static void Head(SoundtrackOutline outline)
        {
            EditorGUILayout.LabelField("Soundtrack", outline.Id + ", version " + outline.Version);
            EditorGUILayout.LabelField("Hash", outline.Hash);
            if (outline.Description.Length > 0) EditorGUILayout.LabelField(outline.Description, EditorStyles.wordWrappedMiniLabel);
        }

        private void Section<T>(string title, IReadOnlyList<T> items, Action<T> draw)
        {
            if (items.Count == 0) return;
            bool open = EditorGUILayout.Foldout(!_folded.Contains(title), title + " (" + items.Count + ")", true);
            if (!open)
            {
                _folded.Add(title);
                return;
            }
            _folded.Remove(title);
            EditorGUI.indentLevel++;
            foreach (var item in items) draw(item);
            EditorGUI.indentLevel--;
        }

        private static void Row(string name, string about) => EditorGUILayout.LabelField(name, about);

        private static string At(string exit) => exit.Length > 0 && exit != "immediate" ? ", at " + exit : "";

        private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
    }
}
