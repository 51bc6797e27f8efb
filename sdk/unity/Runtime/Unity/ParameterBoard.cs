// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Segue
{
    /// <summary>
    /// Parameters as a game sets them, every frame if it likes: only what has changed is sent, and together. The main thread's.
    /// </summary>
    public sealed class ParameterBoard
    {
        private static readonly Dictionary<string, int> Ids = new Dictionary<string, int>(StringComparer.Ordinal);
        private static readonly List<string> Names = new List<string>();
        private float[] _values = new float[8];
        private bool[] _isSet = new bool[8];
        private bool[] _isNew = new bool[8];

        /// <summary>Whether anything has changed since it was taken.</summary>
        public bool HasNews { get; private set; }

        /// <summary>A number for a name; the same for as long as the program runs.</summary>
        public static int Id(string name)
        {
            if (Ids.TryGetValue(name, out int id)) return id;
            Names.Add(name);
            return Ids[name] = Names.Count - 1;
        }

        /// <summary>Set a parameter; no garbage, and nothing to do if it has that value already.</summary>
        public void Set(int id, float value)
        {
            if (id < 0 || id >= Names.Count) throw new ArgumentOutOfRangeException(nameof(id), "expected what Id gave");
            if (id >= _values.Length)
            {
                int size = Math.Max(Names.Count, 2 * _values.Length);
                Array.Resize(ref _values, size);
                Array.Resize(ref _isSet, size);
                Array.Resize(ref _isNew, size);
            }
            if (_isSet[id] && _values[id] == value) return;
            _values[id] = value;
            _isSet[id] = _isNew[id] = HasNews = true;
        }

        /// <summary>What has changed since it was last taken.</summary>
        public Dictionary<string, double> Take()
        {
            var news = new Dictionary<string, double>();
            for (int id = 0; id < Math.Min(Names.Count, _isNew.Length); id++)
            {
                if (!_isNew[id]) continue;
                news[Names[id]] = _values[id];
                _isNew[id] = false;
            }
            HasNews = false;
            return news;
        }
    }
}
