// SPDX-License-Identifier: Apache-2.0
using System;
using System.Text;

namespace Segue.Wire
{
    /// <summary>A message of the protocol.</summary>
    public interface IMessage
    {
        /// <summary>Append the fields, in the order of their numbers.</summary>
        void WriteTo(ProtoWriter to);

        /// <summary>Take over the fields that are there; unknown ones are passed over.</summary>
        void MergeFrom(ref ProtoReader from);
    }

    /// <summary>Collects the bytes of a message.</summary>
    public sealed class ProtoWriter
    {
        private static readonly UTF8Encoding Utf8 = new UTF8Encoding(false);
        private byte[] _data = new byte[256];
        private int _count;

        /// <summary>The bytes of a message.</summary>
        public static byte[] Serialise(IMessage message)
        {
            var writer = new ProtoWriter();
            message.WriteTo(writer);
            return writer.ToArray();
        }

        public byte[] ToArray()
        {
            var bytes = new byte[_count];
            Buffer.BlockCopy(_data, 0, bytes, 0, _count);
            return bytes;
        }

        public void Tag(int field, int type) => Varint(((ulong)(uint)field << 3) | (uint)type);

        public void Varint(ulong value)
        {
            Room(10);
            while (value >= 0x80)
            {
                _data[_count++] = (byte)(value | 0x80);
                value >>= 7;
            }
            _data[_count++] = (byte)value;
        }

        public void Int64(int field, long value)
        {
            Tag(field, 0);
            Varint((ulong)value);
        }

        public void Bool(int field, bool value) => Int64(field, value ? 1 : 0);

        public void Float(int field, float value)
        {
            Tag(field, 5);
            Fixed((uint)BitConverter.SingleToInt32Bits(value), 4);
        }

        public void Double(int field, double value)
        {
            Tag(field, 1);
            Fixed((ulong)BitConverter.DoubleToInt64Bits(value), 8);
        }

        public void String(int field, string value)
        {
            int length = Utf8.GetByteCount(value);
            Tag(field, 2);
            Varint((ulong)length);
            Room(length);
            Utf8.GetBytes(value, 0, value.Length, _data, _count);
            _count += length;
        }

        public void Bytes(int field, byte[] value)
        {
            Tag(field, 2);
            Varint((ulong)value.Length);
            Room(value.Length);
            Buffer.BlockCopy(value, 0, _data, _count, value.Length);
            _count += value.Length;
        }

        public void Message(int field, IMessage value)
        {
            int mark = Open(field);
            value.WriteTo(this);
            Close(mark);
        }

        /// <summary>Begin a nested message; give what it returns to <see cref="Close"/>.</summary>
        public int Open(int field)
        {
            Tag(field, 2);
            return _count;
        }

        /// <summary>End a nested message: its length is put before it.</summary>
        public void Close(int mark)
        {
            int length = _count - mark, size = 1;
            for (int rest = length; rest >= 0x80; rest >>= 7) size++;
            Room(size);
            Buffer.BlockCopy(_data, mark, _data, mark + size, length);
            _count = mark;
            Varint((ulong)length);
            _count = mark + size + length;
        }

        private void Fixed(ulong value, int bytes)
        {
            Room(bytes);
            for (int i = 0; i < bytes; i++) _data[_count++] = (byte)(value >> (8 * i));
        }

        private void Room(int bytes)
        {
            if (_count + bytes > _data.Length) Array.Resize(ref _data, Math.Max(_data.Length * 2, _count + bytes));
        }
    }
}
