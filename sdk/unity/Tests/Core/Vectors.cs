// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Segue.Audio;

namespace Segue.Tests
{
    /// <summary>The repository's conformance vectors, which lie outside the package; $SEGUE_CONFORMANCE is their folder.</summary>
    public static class Vectors
    {
        public static string Folder
        {
            get
            {
                string folder = Environment.GetEnvironmentVariable("SEGUE_CONFORMANCE");
                if (string.IsNullOrEmpty(folder)) Check.Skip("$SEGUE_CONFORMANCE names no folder of vectors");
                return folder;
            }
        }

        /// <summary>A file of vectors. Fails if it is of a format that these tests don't read.</summary>
        public static Dictionary<string, object> Read(string name)
        {
            string path = Path.Combine(Folder, name);
            if (!File.Exists(path)) Check.Skip(name + " is not there");
            var found = (Dictionary<string, object>)Json.Parse(File.ReadAllText(path));
            Check.Equal(1.0, (double)found["format"], name + ": format");
            return found;
        }

        public static IEnumerable<Dictionary<string, object>> List(this Dictionary<string, object> of, string key) =>
            of.TryGetValue(key, out object found) ? ((List<object>)found).Cast<Dictionary<string, object>>() : Enumerable.Empty<Dictionary<string, object>>();

        public static string Text(this Dictionary<string, object> of, string key) =>
            of.TryGetValue(key, out object found) ? (string)found : null;

        public static byte[] Hex(this Dictionary<string, object> of, string key) => Check.Bytes(of.Text(key));

        public static long Whole(this Dictionary<string, object> of, string key, long absent = 0)
        {
            if (!of.TryGetValue(key, out object found) || found == null) return absent;
            return found is string text ? long.Parse(text) : (long)(double)found;
        }

        public static Dictionary<string, object> Object(this Dictionary<string, object> of, string key) =>
            of.TryGetValue(key, out object found) ? (Dictionary<string, object>)found : null;

        public static bool Flag(this Dictionary<string, object> of, string key) => of.TryGetValue(key, out object found) && true.Equals(found);
    }
}
