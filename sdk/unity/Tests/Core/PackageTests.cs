// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using NUnit.Framework;
using Segue.Audio;

namespace Segue.Tests
{
    [TestFixture]
    public sealed class PackageTests
    {
        [Test]
        public void TheVersionIsThePackages()
        {
            string folder = Environment.GetEnvironmentVariable("SEGUE_PACKAGE");
            if (string.IsNullOrEmpty(folder)) Check.Skip("$SEGUE_PACKAGE names no folder");
            var package = (Dictionary<string, object>)Json.Parse(File.ReadAllText(Path.Combine(folder, "package.json")));
            Check.Equal(PackageVersion.Text, package.Text("version"));
            Check.That(File.ReadAllText(Path.Combine(folder, "CHANGELOG.md")).Contains("[" + PackageVersion.Text + "]"), "CHANGELOG.md lacks the version");
        }
    }
}
