// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using Segue.V1;

namespace Segue
{
    /// <summary>
    /// Events that wait for their sample to be heard. A rewind voids those of the stretch that it replaces; what still
    /// holds there is told again. Any thread.
    /// </summary>
    public sealed class EventQueue
    {
        /// <summary>Events that may wait; beyond it the oldest are dropped, as nobody polls.</summary>
        public const int Most = 4096;

        private readonly List<Event> _waiting = new List<Event>();

        /// <summary>Events that wait.</summary>
        public int Count
        {
            get { lock (_waiting) return _waiting.Count; }
        }

        /// <summary>An event of the stream has arrived.</summary>
        public void Add(Event arrived)
        {
            lock (_waiting)
            {
                if (arrived.Rewound != null)
                    _waiting.RemoveAll(waiting => waiting.Sample >= arrived.Sample && waiting.Take < arrived.Take);
                int at = _waiting.Count;
                while (at > 0 && _waiting[at - 1].Sample > arrived.Sample) at--;
                _waiting.Insert(at, arrived);
                if (_waiting.Count > Most) _waiting.RemoveAt(0);
            }
        }

        /// <summary>The next event whose sample has been heard; null if there is none.</summary>
        /// <param name="heard">First sample that has not been heard.</param>
        public Event Next(long heard)
        {
            lock (_waiting)
            {
                if (_waiting.Count == 0 || _waiting[0].Sample >= heard) return null;
                var next = _waiting[0];
                _waiting.RemoveAt(0);
                return next;
            }
        }

        /// <summary>Another timeline begins: nothing of this one holds.</summary>
        public void Clear()
        {
            lock (_waiting) _waiting.Clear();
        }
    }
}
