// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using Segue;
using Segue.Wire;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>Writes the constants of a soundtrack beside its asset.</summary>
    internal static class ConstantsFile
    {
        private const string Menu = "Assets/Segue/Generate Constants";

        /// <summary>Write the file if it has changed; logs its path, or what is wrong.</summary>
        public static void Write(SoundtrackAsset asset)
        {
            string source = AssetDatabase.GetAssetPath(asset);
            if (string.IsNullOrEmpty(source))
            {
                Debug.LogError("Segue: the soundtrack is no asset of the project, so there is no place for its constants.", asset);
                return;
            }
            try
            {
                string path = Path.GetDirectoryName(source).Replace('\\', '/') + "/" + ConstantsWriter.FileName(asset.Outline);
                string text = ConstantsWriter.Write(asset.Outline);
                if (File.Exists(path) && File.ReadAllText(path) == text)
                {
                    Debug.Log("Segue: " + path + " is up to date.", asset);
                    return;
                }
                File.WriteAllText(path, text);
                AssetDatabase.ImportAsset(path);
                Debug.Log("Segue: wrote " + path, asset);
            }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException || error is MalformedException)
            {
                Debug.LogError("Segue: no constants of " + source + ". " + error.Message, asset);
            }
        }

        [MenuItem(Menu)]
        private static void WriteSelected()
        {
            foreach (var selected in Selection.objects)
                if (selected is SoundtrackAsset asset) Write(asset);
        }

        [MenuItem(Menu, true)]
        private static bool IsOneSelected() => Array.Exists(Selection.objects, selected => selected is SoundtrackAsset);
    }
}
