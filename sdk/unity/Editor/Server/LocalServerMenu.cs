// SPDX-License-Identifier: Apache-2.0
using System.IO;
using UnityEditor;

namespace SegueEditor
{
    /// <summary>Menu items of the local server.</summary>
    internal static class LocalServerMenu
    {
        private const string StartFile = "Tools/Segue/Start Local Server…";
        private const string StartFolder = "Tools/Segue/Start Local Server on Folder…";
        private const string Stop = "Tools/Segue/Stop Local Server";
        private const string Choose = "Tools/Segue/Choose Program…";
        private const string FolderKey = "Segue.LocalServer.Folder";

        [MenuItem(StartFile, false, 1)]
        public static void StartWithFile()
        {
            string[] filters = { "Soundtracks", "yaml,json", "All files", "*" };
            Begin(EditorUtility.OpenFilePanelWithFilters("Soundtrack to serve", EditorPrefs.GetString(FolderKey, ""), filters));
        }

        [MenuItem(StartFolder, false, 2)]
        private static void StartWithFolder() =>
            Begin(EditorUtility.OpenFolderPanel("Folder of soundtracks to serve", EditorPrefs.GetString(FolderKey, ""), ""));

        [MenuItem(Stop, false, 3)]
        private static void StopIt() => LocalServer.Stop();

        [MenuItem(Choose, false, 20)]
        private static void ChooseProgram()
        {
            string program = EditorUtility.OpenFilePanel("The program segue", "", "");
            if (!string.IsNullOrEmpty(program)) EditorPrefs.SetString(LocalServer.ProgramKey, program);
        }

        [MenuItem(StartFile, true)]
        [MenuItem(StartFolder, true)]
        private static bool CanStart() => !LocalServer.IsRunning;

        [MenuItem(Stop, true)]
        private static bool CanStop() => LocalServer.IsRunning;

        private static void Begin(string soundtrack)
        {
            // Empty: cancelled.
            if (string.IsNullOrEmpty(soundtrack)) return;
            EditorPrefs.SetString(FolderKey, Directory.Exists(soundtrack) ? soundtrack : Path.GetDirectoryName(soundtrack));
            LocalServer.Start(soundtrack);
        }
    }
}
