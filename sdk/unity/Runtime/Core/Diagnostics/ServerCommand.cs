// SPDX-License-Identifier: Apache-2.0
#if UNITY_EDITOR || !UNITY_5_3_OR_NEWER
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;

namespace Segue
{
    /// <summary>How `segue serve` is found and started on the developer's machine. Part of the editor, not of builds.</summary>
    public static class ServerCommand
    {
        private const int Parents = 4;
        private static readonly string[] Environments = { ".venv", "venv" };

        /// <summary>What to do where there is no `segue`.</summary>
        public const string HowToInstall =
            "no `segue` was found, neither in a .venv or venv of the project or above it, nor on the PATH. Install it as its README says, "
            + "or choose the program with Tools → Segue → Choose Program…";

        /// <summary>Places where the program may be, the likeliest first.</summary>
        /// <param name="chosen">What the developer has chosen; may be empty.</param>
        /// <param name="path">The variable PATH.</param>
        /// <param name="project">The project's folder: virtual environments in it and above it are looked at.</param>
        /// <param name="home">The developer's folder.</param>
        public static IReadOnlyList<string> Places(string chosen, string path, string project, string home, bool isWindows)
        {
            string name = isWindows ? "segue.exe" : "segue";
            string programs = isWindows ? "Scripts" : "bin";
            var places = new List<string>();
            if (!string.IsNullOrEmpty(chosen)) places.Add(chosen);
            string folder = project;
            for (int i = 0; i < Parents && !string.IsNullOrEmpty(folder); i++, folder = Path.GetDirectoryName(folder))
                places.AddRange(Environments.Select(environment => Path.Combine(folder, environment, programs, name)));
            foreach (string entry in (path ?? "").Split(isWindows ? ';' : ':').Where(entry => entry.Trim().Length > 0))
                places.Add(Path.Combine(entry.Trim().Trim('"'), name));
            // An editor that was not started from a terminal has a short PATH, on macOS above all.
            if (!isWindows && !string.IsNullOrEmpty(home)) places.Add(Path.Combine(home, ".local", "bin", name));
            if (!isWindows) places.AddRange(new[] { "/opt/homebrew/bin/segue", "/usr/local/bin/segue" });
            return places.Distinct().ToList();
        }

        /// <summary>
        /// Start the program with its output in a file, which goes on when the editor loads its assemblies anew and pipes would
        /// break. The process that is started is the program itself; on Windows, a shell around it.
        /// </summary>
        /// <param name="soundtrack">A soundtrack's file, or a folder of them.</param>
        public static ProcessStartInfo Start(string program, string soundtrack, string log, bool isWindows)
        {
            // Paths go by the environment, where no quoting can go wrong.
            var start = isWindows
                ? new ProcessStartInfo("cmd.exe", "/d /v:off /s /c \"\"%SEGUE_PROGRAM%\" serve \"%SEGUE_SOUNDTRACK%\" > \"%SEGUE_LOG%\" 2>&1\"")
                : new ProcessStartInfo("/bin/sh", "-c \"exec \\\"$SEGUE_PROGRAM\\\" serve \\\"$SEGUE_SOUNDTRACK\\\" > \\\"$SEGUE_LOG\\\" 2>&1\"");
            start.UseShellExecute = false;
            start.CreateNoWindow = true;
            start.EnvironmentVariables["SEGUE_PROGRAM"] = program;
            start.EnvironmentVariables["SEGUE_SOUNDTRACK"] = soundtrack;
            start.EnvironmentVariables["SEGUE_LOG"] = log;
            start.EnvironmentVariables["PYTHONUNBUFFERED"] = "1";
            start.EnvironmentVariables["PYTHONUTF8"] = "1";
            start.EnvironmentVariables["NO_COLOR"] = "1";
            return start;
        }

        /// <summary>Ask a process to end, with all that it has started.</summary>
        public static ProcessStartInfo Stop(int process, bool isWindows) => new ProcessStartInfo(
            isWindows ? "taskkill" : "/bin/kill", isWindows ? "/PID " + process + " /T /F" : "-TERM " + process)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
        };
    }
}
#endif
