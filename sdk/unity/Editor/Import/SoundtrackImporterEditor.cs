// SPDX-License-Identifier: Apache-2.0
using UnityEditor;
using UnityEditor.AssetImporters;

namespace SegueEditor
{
    /// <summary>An importer without settings: what there is to see is the asset's, below.</summary>
    [CustomEditor(typeof(SoundtrackImporter))]
    internal sealed class SoundtrackImporterEditor : ScriptedImporterEditor
    {
        protected override bool needsApplyRevert => false;

        public override void OnInspectorGUI() =>
            EditorGUILayout.HelpBox("Made by `segue build` from a *.soundtrack.yaml: change that, and build it again.", MessageType.None);
    }
}
