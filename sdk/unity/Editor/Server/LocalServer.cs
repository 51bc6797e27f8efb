// SPDX-License-Identifier: Apache-2.0
using System;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Segue;
using UnityEditor;
using Debug = UnityEngine.Debug;

namespace SegueEditor
{
    /// <summary>
    /// One `segue serve` as a child of the editor: its log goes to the Console, it outlives the loading of assemblies, and it ends
    /// with the editor.
    /// </summary>
    [InitializeOnLoad]
    internal static class LocalServer
    {
        /// <summary>Where the developer's choice of the program is kept, among EditorPrefs.</summary>
        public const string ProgramKey = "Segue.LocalServer.Program";

        private const string ProcessKey = "Segue.LocalServer.Process";
        private const string ServesKey = "Segue.LocalServer.Serves";
        private const string PositionKey = "Segue.LocalServer.Position";
        private const string LogPath = "Logs/segue-serve.log";
        private const double Every = 0.25;
        private static readonly bool IsWindows = Path.DirectorySeparatorChar == '\\';
        private static Process _process;
        private static LogTail _tail;
        private static double _next;

        static LocalServer()
        {
            Find();
            EditorApplication.update += Watch;
            EditorApplication.quitting += Stop;
        }

        /// <summary>Whether it runs.</summary>
        public static bool IsRunning => _process != null;

        /// <summary>What it serves; empty if it does not run.</summary>
        public static string Serves => IsRunning ? SessionState.GetString(ServesKey, "") : "";

        /// <summary>Start it; what goes wrong is logged.</summary>
        /// <param name="soundtrack">A soundtrack's file, or a folder of them.</param>
        public static void Start(string soundtrack)
        {
            if (IsRunning) return;
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), project = Directory.GetCurrentDirectory();
            string program = ServerCommand.Places(
                EditorPrefs.GetString(ProgramKey, ""), Environment.GetEnvironmentVariable("PATH"), project, home, IsWindows).FirstOrDefault(File.Exists);
            if (program == null)
            {
                Debug.LogError("Segue: " + ServerCommand.HowToInstall);
                return;
            }
            try
            {
                string log = Path.GetFullPath(LogPath);
                Directory.CreateDirectory(Path.GetDirectoryName(log));
                File.WriteAllText(log, "");
                _process = Process.Start(ServerCommand.Start(program, Path.GetFullPath(soundtrack), log, IsWindows));
            }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException || error is Win32Exception)
            {
                Debug.LogError("Segue: the server could not be started. " + error.Message);
                return;
            }
            SessionState.SetInt(ProcessKey, _process.Id);
            SessionState.SetString(ServesKey, Path.GetFileName(soundtrack));
            _tail = new LogTail(LogPath);
            Debug.Log("Segue: " + program + " serve " + soundtrack);
        }

        /// <summary>Ask it to end, if it runs.</summary>
        public static void Stop()
        {
            if (!IsRunning) return;
            try
            {
                using (Process.Start(ServerCommand.Stop(_process.Id, IsWindows))) { }
            }
            catch (Exception error) when (error is Win32Exception || error is InvalidOperationException)
            {
                Debug.LogWarning("Segue: the server could not be stopped. " + error.Message);
            }
        }

        /// <summary>After assemblies were loaded anew, the process is known by its number only.</summary>
        private static void Find()
        {
            int id = SessionState.GetInt(ProcessKey, 0);
            if (id == 0) return;
            _tail = new LogTail(LogPath, SessionState.GetInt(PositionKey, 0));
            try
            {
                _process = Process.GetProcessById(id);
            }
            catch (ArgumentException)
            {
                Ended("");
            }
        }

        private static void Watch()
        {
            if (_process == null || EditorApplication.timeSinceStartup < _next) return;
            _next = EditorApplication.timeSinceStartup + Every;
            bool isOver = _process.HasExited;
            Tell(isOver);
            if (isOver) Ended(Code());
        }

        private static void Tell(bool isOver)
        {
            try
            {
                foreach (string line in _tail.Read(isOver))
                {
                    // A command that fails says so in one sentence, which begins with its name.
                    bool isWrong = line.StartsWith("segue: ", StringComparison.Ordinal) || line.IndexOf("error", StringComparison.OrdinalIgnoreCase) >= 0;
                    if (isWrong) Debug.LogError("segue serve: " + line);
                    else Debug.Log("segue serve: " + line);
                }
                SessionState.SetInt(PositionKey, (int)Math.Min(int.MaxValue, _tail.Position));
            }
            catch (IOException error)
            {
                Debug.LogWarning("Segue: the server's log can't be read. " + error.Message);
            }
        }

        private static string Code()
        {
            try
            {
                return " with exit code " + _process.ExitCode;
            }
            catch (InvalidOperationException)
            {
                // Only the one that has started a process is told.
                return "";
            }
        }

        private static void Ended(string how)
        {
            SessionState.EraseInt(ProcessKey);
            SessionState.EraseInt(PositionKey);
            _process?.Dispose();
            _process = null;
            Debug.Log("Segue: the local server has ended" + how + ".");
        }
    }
}
