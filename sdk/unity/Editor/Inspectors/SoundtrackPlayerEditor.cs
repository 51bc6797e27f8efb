// SPDX-License-Identifier: Apache-2.0
using Segue;
using UnityEditor;

namespace SegueEditor
{
    /// <summary>The player's fields; in play mode, controls and meters too.</summary>
    [CustomEditor(typeof(SoundtrackPlayer))]
    [CanEditMultipleObjects]
    internal sealed class SoundtrackPlayerEditor : Editor
    {
        private readonly PlayerControls _controls = new PlayerControls();

        public override bool RequiresConstantRepaint() => EditorApplication.isPlaying;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            // A prefab plays nothing, and several players have several sets of names.
            if (!EditorApplication.isPlaying || targets.Length > 1 || EditorUtility.IsPersistent(target)) return;
            var player = (SoundtrackPlayer)target;
            EditorGUILayout.Space();
            _controls.Draw(player);
            if (player.Session == null) return;
            EditorGUILayout.Space();
            var lead = serializedObject.FindProperty("leadMs");
            PlayerMeters.Draw(player.Session, lead != null ? lead.intValue : 0);
        }
    }
}
