// SPDX-License-Identifier: Apache-2.0
using Segue;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>Where the server is, and a server of one's own.</summary>
    [CustomEditor(typeof(SegueConnectionSettings))]
    internal sealed class ConnectionSettingsEditor : Editor
    {
        public override bool RequiresConstantRepaint() => LocalServer.IsRunning;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            EditorGUILayout.Space();
            EditorGUILayout.LabelField("Local server", LocalServer.IsRunning ? "running: " + LocalServer.Serves : "not running");
            if (LocalServer.IsRunning)
            {
                if (GUILayout.Button("Stop Local Server")) LocalServer.Stop();
            }
            else if (GUILayout.Button("Start Local Server…"))
            {
                // A dialog in the midst of drawing would lose the groups that are open.
                EditorApplication.delayCall += LocalServerMenu.StartWithFile;
            }
        }
    }
}
