// SPDX-License-Identifier: Apache-2.0
using System;
using System.Text;

namespace Segue.Wire
{
    /// <summary>Bytes that are not a message of the protocol.</summary>
    public sealed class MalformedException : Exception
    {
        public MalformedException(string message) : base(message) { }
    }

    /// <summary>Reads protobuf fields out of a stretch of a buffer; throws <see cref="MalformedException"/>.</summary>
    public struct ProtoReader
    {
        private const int MostGroups = 32;
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);
        private readonly byte[] _data;
        private readonly int _end;
        private int _at;

        public ProtoReader(byte[] data) : this(data, 0, data.Length) { }

        public ProtoReader(byte[] data, int offset, int count)
        {
            _data = data;
            _at = offset;
            _end = offset + count;
        }

        /// <summary>The next field's number and wire type; false at the end.</summary>
        public bool Next(out int field, out int type)
        {
            field = type = 0;
            if (_at >= _end) return false;
            ulong tag = Varint();
            field = (int)(tag >> 3);
            type = (int)(tag & 7);
            if (tag > uint.MaxValue || field == 0) throw new MalformedException("protobuf: field number 0 or too large");
            return true;
        }

        public ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; shift < 70; shift += 7)
            {
                byte part = Byte();
                if (shift == 63 && part > 1) throw new MalformedException("protobuf: varint of more than 64 bits");
                value |= (ulong)(part & 0x7f) << shift;
                if (part < 0x80) return value;
            }
            throw new MalformedException("protobuf: varint of more than 10 bytes");
        }

        public long Int64() => (long)Varint();

        public int Int32() => (int)Varint();

        public bool Bool() => Varint() != 0;

        public float Float() => BitConverter.Int32BitsToSingle((int)Fixed(4));

        public double Double() => BitConverter.Int64BitsToDouble((long)Fixed(8));

        public string String()
        {
            int length = Length();
            try
            {
                string text = Strict.GetString(_data, _at, length);
                _at += length;
                return text;
            }
            catch (ArgumentException)
            {
                throw new MalformedException("protobuf: a string is not UTF-8");
            }
        }

        public byte[] Bytes()
        {
            int length = Length();
            var found = new byte[length];
            Buffer.BlockCopy(_data, _at, found, 0, length);
            _at += length;
            return found;
        }

        /// <summary>A reader of the nested message (or packed field) that begins here; this one goes on behind it.</summary>
        public ProtoReader Nested()
        {
            int length = Length();
            var nested = new ProtoReader(_data, _at, length);
            _at += length;
            return nested;
        }

        /// <summary>Whether there is nothing left.</summary>
        public bool IsAtEnd => _at >= _end;

        /// <summary>Pass over a field that is not known.</summary>
        public void Skip(int field, int type) => Skip(field, type, 0);

        private void Skip(int field, int type, int depth)
        {
            switch (type)
            {
                case 0: Varint(); break;
                case 1: Fixed(8); break;
                case 2: Nested(); break;
                case 5: Fixed(4); break;
                case 3 when depth < MostGroups:
                    while (true)
                    {
                        if (!Next(out int inner, out int innerType)) throw new MalformedException("protobuf: a group has no end");
                        if (innerType == 4 && inner == field) return;
                        Skip(inner, innerType, depth + 1);
                    }
                default: throw new MalformedException("protobuf: wire type " + type + " in field " + field);
            }
        }

        private int Length()
        {
            ulong length = Varint();
            if (length > (ulong)(_end - _at)) throw new MalformedException("protobuf: expected " + length + " bytes, got " + (_end - _at));
            return (int)length;
        }

        private ulong Fixed(int bytes)
        {
            ulong value = 0;
            for (int i = 0; i < bytes; i++) value |= (ulong)Byte() << (8 * i);
            return value;
        }

        private byte Byte()
        {
            if (_at >= _end) throw new MalformedException("protobuf: the message ends within a field");
            return _data[_at++];
        }
    }
}
