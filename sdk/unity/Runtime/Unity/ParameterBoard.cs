// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Segue
{
    /// <summary>
    /// Parameters as a game sets them, every frame if it likes: only what has changed is sent, and together. It keeps the last
    /// values for the next session. The main thread's, except for Id and Name.
    /// </summary>
    public sealed class ParameterBoard
    {
        private static readonly Dictionary<string, int> Ids = new Dictionary<string, int>(StringComparer.Ordinal);
        private static readonly List<string> Names = new List<string>();
        private float[] _values = new float[8];
        private Mark[] _marks = new Mark[8];

        private enum Mark : byte
        {
            Unset,
            Sent,
            New,
            Refused,
        }

        /// <summary>Whether anything has changed since it was taken.</summary>
        public bool HasNews { get; private set; }

        /// <summary>A number for a name; the same for as long as the program runs. Any thread.</summary>
        public static int Id(string name)
        {
            // Games ask for it in the initialisers of their classes, which run on any thread.
            lock (Ids)
            {
                if (Ids.TryGetValue(name, out int id)) return id;
                Names.Add(name);
                return Ids[name] = Names.Count - 1;
            }
        }

        /// <summary>The name that a number was given for. Throws ArgumentOutOfRangeException. Any thread.</summary>
        public static string Name(int id)
        {
            lock (Ids)
            {
                if (id < 0 || id >= Names.Count) throw new ArgumentOutOfRangeException(nameof(id), "expected what Id gave");
                return Names[id];
            }
        }

        /// <summary>Whether a parameter was ever set.</summary>
        public bool Has(int id) => id >= 0 && id < _marks.Length && _marks[id] != Mark.Unset;

        /// <summary>Set a parameter; no garbage, and nothing to do if it has that value already.</summary>
        public void Set(int id, float value)
        {
            if (id < 0 || id >= _marks.Length) Grow(id);
            if (_marks[id] != Mark.Unset && _values[id] == value) return;
            _values[id] = value;
            if (_marks[id] == Mark.Refused) return;
            _marks[id] = Mark.New;
            HasNews = true;
        }

        /// <summary>What has changed since it was last taken.</summary>
        public Dictionary<string, double> Take()
        {
            var taken = new Dictionary<string, double>();
            for (int id = 0; id < _marks.Length; id++)
            {
                if (_marks[id] != Mark.New) continue;
                taken[Name(id)] = _values[id];
                _marks[id] = Mark.Sent;
            }
            HasNews = false;
            return taken;
        }

        /// <summary>The last value of everything that was ever set; nothing of it is news then.</summary>
        public Dictionary<string, double> TakeAll()
        {
            Renew();
            return Take();
        }

        /// <summary>Everything that was ever set is to be sent again: whoever listens does not know it.</summary>
        public void Renew()
        {
            for (int id = 0; id < _marks.Length; id++) Renew(id);
        }

        /// <summary>These were not received: they are to be sent again, as they are by then.</summary>
        public void Renew(IEnumerable<string> names)
        {
            foreach (string name in names) Renew(Id(name));
        }

        /// <summary>There is no parameter of the name: what is set under it is kept from the others, until Forgive.</summary>
        public void Refuse(string name)
        {
            int id = Id(name);
            if (id >= _marks.Length) Grow(id);
            _marks[id] = Mark.Refused;
        }

        /// <summary>Another soundtrack may have the parameters that this one has not.</summary>
        public void Forgive()
        {
            for (int id = 0; id < _marks.Length; id++)
                if (_marks[id] == Mark.Refused) _marks[id] = Mark.Sent;
        }

        private void Renew(int id)
        {
            if (id >= _marks.Length || _marks[id] != Mark.Sent) return;
            _marks[id] = Mark.New;
            HasNews = true;
        }

        private void Grow(int id)
        {
            Name(id);
            int size = Math.Max(id + 1, 2 * _marks.Length);
            Array.Resize(ref _values, size);
            Array.Resize(ref _marks, size);
        }
    }
}
