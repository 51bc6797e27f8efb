// SPDX-License-Identifier: Apache-2.0
using System.Threading;

namespace Segue.Audio
{
    /// <summary>A queue from one thread to one other, of fixed size; neither waits and neither allocates.</summary>
    public sealed class SpscQueue<T>
    {
        private readonly T[] _items;
        private int _read;
        private int _write;

        /// <param name="capacity">Items that fit.</param>
        public SpscQueue(int capacity) => _items = new T[capacity + 1];

        /// <summary>By the writing thread; false if it is full.</summary>
        public bool TryPush(T item)
        {
            int write = _write, next = write + 1 == _items.Length ? 0 : write + 1;
            if (next == Volatile.Read(ref _read)) return false;
            _items[write] = item;
            Volatile.Write(ref _write, next);
            return true;
        }

        /// <summary>By the reading thread; false if it is empty.</summary>
        public bool TryPop(out T item)
        {
            int read = _read;
            if (read == Volatile.Read(ref _write))
            {
                item = default;
                return false;
            }
            item = _items[read];
            _items[read] = default;
            Volatile.Write(ref _read, read + 1 == _items.Length ? 0 : read + 1);
            return true;
        }
    }
}
