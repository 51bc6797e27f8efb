// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using UnityEditor;

namespace SegueEditor
{
    /// <summary>
    /// Gives files that end in .soundtrack.json to <see cref="SoundtrackImporter"/>. An importer can't claim such an ending for
    /// itself before Unity 6.3, where the rest of it is an ending of Unity's own.
    /// </summary>
    internal sealed class SoundtrackFiles : AssetPostprocessor
    {
        private const string Ending = ".soundtrack.json";
        private const string LookedAround = "Segue.SoundtrackFiles.LookedAround";

        /// <summary>Once a session: files that were there before the package was.</summary>
        [InitializeOnLoadMethod]
        private static void LookAround()
        {
            if (SessionState.GetBool(LookedAround, false)) return;
            EditorApplication.delayCall += () =>
            {
                SessionState.SetBool(LookedAround, true);
                Claim(AssetDatabase.GetAllAssetPaths());
            };
        }

        private static void OnPostprocessAllAssets(
            string[] importedAssets, string[] deletedAssets, string[] movedAssets, string[] movedFromAssetPaths) =>
            Claim(importedAssets.Concat(movedAssets));

        private static void Claim(IEnumerable<string> paths)
        {
            foreach (string path in paths)
            {
                // What lies in packages may be read-only, and brings its own .meta files.
                if (!path.EndsWith(Ending, StringComparison.OrdinalIgnoreCase) || !path.StartsWith("Assets/", StringComparison.Ordinal)) continue;
                if (!(AssetImporter.GetAtPath(path) is SoundtrackImporter)) AssetDatabase.SetImporterOverride<SoundtrackImporter>(path);
            }
        }
    }
}
