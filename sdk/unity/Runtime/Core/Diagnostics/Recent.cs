// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue
{
    /// <summary>The last so many of something; the oldest makes room. One thread at a time.</summary>
    public sealed class Recent<T>
    {
        private readonly T[] _items;
        private int _first;

        /// <param name="most">How many are kept, at least 1.</param>
        public Recent(int most)
        {
            if (most < 1) throw new ArgumentOutOfRangeException(nameof(most), "expected at least 1");
            _items = new T[most];
        }

        /// <summary>How many there are.</summary>
        public int Count { get; private set; }

        /// <summary>The oldest is at 0. Throws IndexOutOfRangeException.</summary>
        public T this[int index]
        {
            get => _items[At(index)];
            set => _items[At(index)] = value;
        }

        /// <summary>Add the newest.</summary>
        public void Add(T item)
        {
            if (Count < _items.Length) Count++;
            else _first = (_first + 1) % _items.Length;
            this[Count - 1] = item;
        }

        /// <summary>Keep none.</summary>
        public void Clear()
        {
            Array.Clear(_items, 0, _items.Length);
            _first = Count = 0;
        }

        private int At(int index) =>
            index >= 0 && index < Count ? (_first + index) % _items.Length : throw new IndexOutOfRangeException("expected 0 to " + (Count - 1));
    }
}
