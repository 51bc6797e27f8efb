// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Wire;

namespace Segue.Net
{
    /// <summary>gRPC-Web's frames out of bytes that come in any pieces: a flag, a length of 4 bytes, the payload.</summary>
    public sealed class FrameParser
    {
        /// <summary>Flag of a frame that holds the trailers.</summary>
        public const byte Trailers = 0x80;

        /// <summary>Largest frame that is taken: 16 MiB.</summary>
        public const int MostBytes = 16 << 20;

        private const int Head = 5;
        private byte[] _data = new byte[16 << 10];
        private int _begin;
        private int _end;

        /// <summary>Whether bytes of a frame are there whose end is not.</summary>
        public bool IsWithinFrame => _end > _begin;

        /// <summary>Take in the next bytes.</summary>
        public void Push(byte[] bytes, int offset, int count)
        {
            if (_end + count > _data.Length)
            {
                int held = _end - _begin;
                var room = held + count > _data.Length ? new byte[Math.Max(_data.Length * 2, held + count)] : _data;
                Buffer.BlockCopy(_data, _begin, room, 0, held);
                _data = room;
                _begin = 0;
                _end = held;
            }
            Buffer.BlockCopy(bytes, offset, _data, _end, count);
            _end += count;
        }

        /// <summary>The next whole frame, if it is there. Throws <see cref="MalformedException"/>.</summary>
        public bool TryNext(out byte flag, out byte[] payload)
        {
            flag = 0;
            payload = null;
            if (_end - _begin < Head) return false;
            flag = _data[_begin];
            if ((flag & ~Trailers) != 0) throw new MalformedException("gRPC-Web: a frame with flags 0x" + flag.ToString("x2") + "; compression was not asked for");
            uint length = ((uint)_data[_begin + 1] << 24) | ((uint)_data[_begin + 2] << 16)
                | ((uint)_data[_begin + 3] << 8) | _data[_begin + 4];
            if (length > MostBytes) throw new MalformedException("gRPC-Web: a frame of " + length + " bytes");
            if (_end - _begin < Head + length) return false;
            payload = new byte[length];
            Buffer.BlockCopy(_data, _begin + Head, payload, 0, (int)length);
            _begin += Head + (int)length;
            if (_begin == _end) _begin = _end = 0;
            return true;
        }

        /// <summary>A message as a frame.</summary>
        public static byte[] Frame(byte[] message, byte flag = 0)
        {
            var framed = new byte[Head + message.Length];
            framed[0] = flag;
            for (int i = 0; i < 4; i++) framed[1 + i] = (byte)(message.Length >> (24 - 8 * i));
            Buffer.BlockCopy(message, 0, framed, Head, message.Length);
            return framed;
        }
    }
}
