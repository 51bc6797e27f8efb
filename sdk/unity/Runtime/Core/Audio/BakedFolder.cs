// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Segue.Wire;

namespace Segue.Audio
{
    /// <summary>Where the files of `segue bake` are. Called on worker threads; may throw any exception.</summary>
    public interface IBakedFiles
    {
        /// <summary>A file's bytes, by its path within the folder.</summary>
        byte[] Read(string path);

        /// <summary>
        /// Samples of a file that is not WAV (Ogg is the engine's business), left and right in turn; null if it can't.
        /// </summary>
        short[] Decode(string path, byte[] file, out int rate);
    }

    /// <summary>The manifest of a folder that `segue bake` wrote, and its recordings. Any thread.</summary>
    public sealed class BakedFolder
    {
        private readonly IBakedFiles _files;
        private readonly Dictionary<string, object> _states;
        private readonly Dictionary<string, object> _stingers;

        /// <summary>Reads manifest.json. Throws <see cref="MalformedException"/>, and what `files` throws.</summary>
        public BakedFolder(IBakedFiles files)
        {
            _files = files;
            var manifest = Json.Parse(System.Text.Encoding.UTF8.GetString(files.Read("manifest.json"))) as Dictionary<string, object>;
            if (manifest == null) throw new MalformedException("manifest.json: expected an object");
            object format = manifest.TryGetValue("format", out object found) ? found : null;
            if (!1.0.Equals(format)) throw new MalformedException("manifest.json: expected format 1, got " + (format ?? "none") + "; is the package older than `segue bake`?");
            Soundtrack = Get<string>(manifest, "soundtrack", "manifest.json");
            Hash = Get<string>(manifest, "hash", "manifest.json");
            Initial = Get<string>(manifest, "initial", "manifest.json");
            _states = Get<Dictionary<string, object>>(manifest, "states", "manifest.json");
            _stingers = Get<Dictionary<string, object>>(manifest, "stingers", "manifest.json");
        }

        /// <summary>Name of the soundtrack.</summary>
        public string Soundtrack { get; }

        /// <summary>SHA-256 of the soundtrack that was baked.</summary>
        public string Hash { get; }

        /// <summary>State at the start.</summary>
        public string Initial { get; }

        /// <summary>Names of the states that have a loop.</summary>
        public IReadOnlyCollection<string> States => _states.Keys;

        /// <summary>Names of the stingers that were baked.</summary>
        public IReadOnlyCollection<string> Stingers => _stingers.Keys;

        /// <summary>Paths of the files that the manifest names, each once; the initial state's first.</summary>
        public IReadOnlyList<string> Files()
        {
            var found = new List<string>();
            Name(_states, Initial, found);
            foreach (string state in _states.Keys) Name(_states, state, found);
            foreach (string stinger in _stingers.Keys) Name(_stingers, stinger, found);
            return found;
        }

        /// <summary>The loop of a state; null if it has none. Takes a while: it reads and decodes a file.</summary>
        public Recording Loop(string state)
        {
            if (!_states.TryGetValue(state, out object found)) return null;
            string name = "manifest.json: states." + state;
            var entry = found as Dictionary<string, object> ?? throw new MalformedException(name + ": expected an object");
            string path = Get<string>(entry, "file", name);
            short[] samples = Samples(path, out int rate);
            if (rate != 48000) throw new MalformedException(path + ": expected 48000 Hz, got " + rate);
            double begin = Get<double>(entry, "loop_start", name), end = Get<double>(entry, "loop_end", name);
            if (!(begin >= 0 && begin < end && end <= samples.Length / 2))
                throw new MalformedException(name + ": expected loop_start < loop_end ≤ " + samples.Length / 2 + ", got " + begin + ", " + end);
            return new Recording(samples, (int)begin, (int)end);
        }

        /// <summary>A stinger's recording and its gain; null if there is none of the name.</summary>
        public Recording Stinger(string stinger, out float gainDb)
        {
            gainDb = 0f;
            if (!_stingers.TryGetValue(stinger, out object found)) return null;
            string name = "manifest.json: stingers." + stinger;
            var entry = found as Dictionary<string, object> ?? throw new MalformedException(name + ": expected an object");
            gainDb = (float)Get<double>(entry, "gain_db", name);
            short[] samples = Samples(Get<string>(entry, "file", name), out int rate);
            return Recording.At48k(samples, rate);
        }

        private static void Name(Dictionary<string, object> entries, string key, List<string> into)
        {
            if (entries.TryGetValue(key, out object found) && found is Dictionary<string, object> entry
                && entry.TryGetValue("file", out object file) && file is string path && !into.Contains(path)) into.Add(path);
        }

        private short[] Samples(string path, out int rate)
        {
            byte[] file = _files.Read(path);
            if (path.EndsWith(".wav", StringComparison.Ordinal)) return WavReader.Read(file, path, out rate);
            return _files.Decode(path, file, out rate)
                ?? throw new MalformedException(path + ": nothing here can decode it; `segue bake --format wav` writes loops, and a soundtrack's clips may be WAV files");
        }

        private static T Get<T>(Dictionary<string, object> of, string key, string where)
        {
            if (of.TryGetValue(key, out object value) && value is T found) return found;
            throw new MalformedException(where + ": expected \"" + key + "\"");
        }
    }
}
