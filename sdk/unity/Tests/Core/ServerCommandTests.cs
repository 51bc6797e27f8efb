// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using NUnit.Framework;

namespace Segue.Tests
{
    /// <summary>A server of the developer's own, started from the editor.</summary>
    [TestFixture]
    public sealed class ServerCommandTests
    {
        [Test]
        public void TheProgramIsLookedForNearby()
        {
            if (Path.DirectorySeparatorChar == '\\') Check.Skip("paths of Unix");
            var places = ServerCommand.Places("/mine/segue", "/usr/bin::/opt/x", "/h/me/games/dungeon", "/h/me", false).ToList();
            Check.Equal("/mine/segue", places[0], "what was chosen comes first");
            int beside = places.IndexOf("/h/me/games/dungeon/.venv/bin/segue"), above = places.IndexOf("/h/me/games/venv/bin/segue");
            int path = places.IndexOf("/opt/x/segue"), local = places.IndexOf("/h/me/.local/bin/segue");
            Check.That(0 < beside && beside < above && above < path && path < local, string.Join(" ", places));
            Check.Equal(places.Count, places.Distinct().Count());
            Check.That(places.All(place => place.StartsWith("/", StringComparison.Ordinal)), "an empty entry of PATH is none");
            Check.That(ServerCommand.Places("", null, "/", null, false).Count > 0, "with nothing given");
            Check.That(ServerCommand.Places("", "a;b", "/p", "", true).Any(place => place.EndsWith("segue.exe", StringComparison.Ordinal)), "Windows");
        }

        [Test]
        public void PathsOfAnyKindComeThrough()
        {
            if (!File.Exists("/bin/sh")) Check.Skip("there is no /bin/sh");
            string folder = Folder();
            string program = Path.Combine(folder, "it's a \"segue\" $HOME"), log = Path.Combine(folder, "the log $(x)"), soundtrack = Path.Combine(folder, "a`b c.yaml");
            File.WriteAllText(program, "#!/bin/sh\necho \"$$ $# $1 $2\"\necho wrong >&2\nexec sleep 60\n");
            Allow(program);
            using (var started = Process.Start(ServerCommand.Start(program, soundtrack, log, false)))
            {
                var tail = new LogTail(log);
                var lines = new List<string>();
                Check.Soon(() =>
                {
                    lines.AddRange(tail.Read());
                    return lines.Count >= 2;
                }, "two lines in the log");
                Check.Equal(started.Id + " 2 serve " + soundtrack, lines[0], "the process is the program, and gets its words whole");
                Check.Equal("wrong", lines[1], "errors are in the log, too");
                Check.That(!started.HasExited, "it runs");
                using (var stop = Process.Start(ServerCommand.Stop(started.Id, false))) stop.WaitForExit();
                Check.That(started.WaitForExit(10000), "it ends when it is asked to");
            }
            Directory.Delete(folder, true);
        }

        [Test]
        public void ALogIsReadLineByLine()
        {
            string folder = Folder(), path = Path.Combine(folder, "log");
            var tail = new LogTail(path);
            Check.Equal(0, tail.Read().Count, "before there is a file");
            File.WriteAllText(path, "one\r\n\ntw");
            Check.Equal("one", string.Join("|", tail.Read()));
            Check.Equal("", string.Join("|", tail.Read()));
            File.AppendAllText(path, "o é\nthree");
            Check.Equal("two é", string.Join("|", tail.Read()));
            Check.Equal("three", string.Join("|", new LogTail(path, tail.Position).Read(true)), "what has no end, at the end");
            Check.Equal("one", new LogTail(path).Read()[0]);
            File.WriteAllText(path, "anew\n");
            Check.Equal("anew", string.Join("|", tail.Read()), "a shorter file is another one");
            File.WriteAllText(path, new string('x', 200000) + "\nend\n");
            var all = new StringBuilder();
            var whole = new LogTail(path);
            for (int i = 0; i < 10; i++)
                foreach (string line in whole.Read()) all.Append(line);
            Check.Equal(200003, all.Length, "a line that is too long comes in pieces");
            Directory.Delete(folder, true);
        }

        private static string Folder()
        {
            string folder = Path.Combine(Path.GetTempPath(), "segue-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(folder);
            return folder;
        }

        private static void Allow(string program)
        {
            var chmod = new ProcessStartInfo("/bin/sh", "-c \"chmod +x \\\"$PROGRAM\\\"\"") { UseShellExecute = false };
            chmod.EnvironmentVariables["PROGRAM"] = program;
            using (var running = Process.Start(chmod)) running.WaitForExit();
        }
    }
}
