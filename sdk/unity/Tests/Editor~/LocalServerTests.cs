// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using NUnit.Framework;
using Segue.Rehearsal;
using SegueEditor;
using UnityEditor;

namespace Segue.Tests
{
    /// <summary>A server that is started from the editor; a script stands for it.</summary>
    [TestFixture]
    public sealed class LocalServerTests
    {
        private const string Start = "Tools/Segue/Start Local Server…";
        private const string StartFolder = "Tools/Segue/Start Local Server on Folder…";
        private const string Stop = "Tools/Segue/Stop Local Server";

        [Test]
        public void ItsLogIsInTheConsoleAndItEndsWhenAsked()
        {
            using (var place = new Workplace())
            {
                Program("echo \"ready $2\"; echo \"segue: port is taken\" >&2; exec sleep 60");
                var settings = new ConnectionSettingsEditor { target = SegueConnectionSettings.At("http://localhost:7471") };
                Project.Chosen = Path.GetFullPath("Assets/dungeon.soundtrack.yaml");
                Check.That(Project.CanChoose(Start) && !Project.CanChoose(Stop), "not running");
                Workplace.Press("Start Local Server…", settings.OnInspectorGUI);
                Check.That(!Project.CanChoose(Start) && !Project.CanChoose(StartFolder) && Project.CanChoose(Stop), "running");
                Until(place, "log", "segue serve: ready " + Project.Chosen);
                Until(place, "error", "segue serve: segue: port is taken");
                Desk.Draw(settings.OnInspectorGUI);
                Workplace.Draws("running: dungeon.soundtrack.yaml", "[Stop Local Server]");
                Workplace.Press("Stop Local Server", settings.OnInspectorGUI);
                Until(place, "log", "the local server has ended");
                Check.That(!LocalServer.IsRunning && Project.CanChoose(Start), "not running");
            }
        }

        [Test]
        public void ItOutlivesTheLoadingOfAssemblies()
        {
            using (var place = new Workplace())
            {
                Program("echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; exec sleep 60");
                Project.Chosen = Path.GetFullPath("Assets");
                Project.Menu(StartFolder);
                Until(place, "log", "first");
                // What a class holds is gone; what the session holds is not.
                Set("_process", null);
                Set("_tail", null);
                typeof(LocalServer).GetMethod("Find", BindingFlags.Static | BindingFlags.NonPublic).Invoke(null, null);
                Check.That(LocalServer.IsRunning && LocalServer.Serves == "Assets", "found again");
                File.WriteAllText("go", "");
                Until(place, "log", "second");
                Check.Equal(1, place.Log.Count(line => line.EndsWith("segue serve: first", StringComparison.Ordinal)), "nothing is told twice");
                Project.Quit();
                Until(place, "log", "the local server has ended");
            }
        }

        [Test]
        public void OneThatEndsByItselfIsToldOf()
        {
            using (var place = new Workplace())
            {
                Program("printf 'segue: no such file'; exit 2");
                Project.Chosen = "x.soundtrack.yaml";
                Project.Menu(Start);
                Until(place, "error", "segue: no such file");
                Until(place, "log", "ended with exit code 2");
            }
        }

        [Test]
        public void WhatIsMissingIsSaid()
        {
            using (var place = new Workplace())
            {
                Project.Chosen = "";
                Project.Menu(Start);
                Check.Equal(0, place.Log.Count, "cancelled");
                string path = Environment.GetEnvironmentVariable("PATH"), home = Environment.GetEnvironmentVariable("HOME");
                Environment.SetEnvironmentVariable("PATH", "/nowhere");
                Environment.SetEnvironmentVariable("HOME", "/nowhere");
                try
                {
                    if (ServerCommand.Places("", "", "/nowhere", "", false).Any(File.Exists)) Check.Skip("there is a segue on this machine");
                    Project.Chosen = "x.soundtrack.yaml";
                    Project.Menu(Start);
                    Check.That(place.HasLogged("error", "Install it") && !LocalServer.IsRunning, string.Join(" | ", place.Log));
                }
                finally
                {
                    Environment.SetEnvironmentVariable("PATH", path);
                    Environment.SetEnvironmentVariable("HOME", home);
                }
            }
        }

        /// <summary>A script in the place of the program, chosen by the menu.</summary>
        private static void Program(string script)
        {
            if (!File.Exists("/bin/sh")) Check.Skip("there is no /bin/sh");
            RuntimeHelpers.RunClassConstructor(typeof(LocalServer).TypeHandle);
            File.WriteAllText("segue", "#!/bin/sh\n" + script + "\n");
            using (var chmod = Process.Start(new ProcessStartInfo("/bin/sh", "-c \"chmod +x segue\"") { UseShellExecute = false })) chmod.WaitForExit();
            Project.Chosen = Path.GetFullPath("segue");
            Project.Menu("Tools/Segue/Choose Program…");
        }

        private static void Set(string field, object value) =>
            typeof(LocalServer).GetField(field, BindingFlags.Static | BindingFlags.NonPublic).SetValue(null, value);

        private static void Until(Workplace place, string kind, string part) => Check.Soon(
            () =>
            {
                Workplace.Round();
                return place.HasLogged(kind, part);
            },
            part);
    }
}
