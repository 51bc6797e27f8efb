// SPDX-License-Identifier: Apache-2.0
#if !UNITY_5_3_OR_NEWER
using System;
using System.Globalization;
using System.IO;
using System.Text;
using Segue.Audio;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// What a player rendered, as a WAV file of floats, and what happened at which of its frames, as a JSON object a line:
    /// "mode" (of the mixer) and "connection" (of the session), each with the state that the music is in and the playhead
    /// before and after the callback, and "event". The first line, "began", has the wall clock's seconds. One thread.
    /// </summary>
    internal sealed class Tape : IDisposable
    {
        private const int Head = 44;
        private readonly FileStream _wav;
        private readonly StreamWriter _log;
        private byte[] _bytes = new byte[0];
        private MixerMode _mode = MixerMode.Waiting;
        private ConnectionState _connection = ConnectionState.Idle;
        private long _frame;

        /// <param name="wav">File to write; null for none.</param>
        /// <param name="log">File to write; null for none.</param>
        public Tape(string wav, string log)
        {
            if (wav != null)
            {
                _wav = new FileStream(wav, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, 1 << 20);
                _wav.Write(new byte[Head], 0, Head);
            }
            if (log != null) _log = new StreamWriter(log) { AutoFlush = true };
        }

        /// <summary>The first frame is about to be rendered.</summary>
        public void Begin()
        {
            double now = (DateTime.UtcNow - new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc)).TotalSeconds;
            Line("began", "\"unix\": " + now.ToString("F3", CultureInfo.InvariantCulture));
        }

        /// <summary>A callback has been rendered.</summary>
        /// <param name="before">The playhead before it.</param>
        public void Write(float[] stereo, SoundtrackSession session, long before)
        {
            string where = ", \"state\": \"" + session.MusicState + "\", \"before\": " + before + ", \"after\": " + session.Mixer.Playhead;
            if (session.Mixer.Mode != _mode) Line("mode", "\"value\": \"" + (_mode = session.Mixer.Mode) + "\"" + where);
            if (session.State != _connection) Line("connection", "\"value\": \"" + (_connection = session.State) + "\"" + where);
            _frame += stereo.Length / 2;
            if (_wav == null) return;
            if (_bytes.Length != 4 * stereo.Length) _bytes = new byte[4 * stereo.Length];
            Buffer.BlockCopy(stereo, 0, _bytes, 0, _bytes.Length);
            _wav.Write(_bytes, 0, _bytes.Length);
        }

        /// <summary>An event was heard.</summary>
        public void Write(Event heard) => Line("event", "\"value\": \"" + heard.WhichDetail + "\", \"sample\": " + heard.Sample);

        public void Dispose()
        {
            _log?.Dispose();
            if (_wav == null) return;
            int length = (int)(_wav.Length - Head);
            _wav.Position = 0;
            var writer = new BinaryWriter(_wav);
            writer.Write(Encoding.ASCII.GetBytes("RIFF"));
            writer.Write(Head - 8 + length);
            writer.Write(Encoding.ASCII.GetBytes("WAVEfmt "));
            writer.Write(16);
            writer.Write((short)3);
            writer.Write((short)2);
            writer.Write(SoundtrackMixer.SampleRate);
            writer.Write(8 * SoundtrackMixer.SampleRate);
            writer.Write((short)8);
            writer.Write((short)32);
            writer.Write(Encoding.ASCII.GetBytes("data"));
            writer.Write(length);
            writer.Dispose();
        }

        private void Line(string what, string more) => _log?.WriteLine("{\"frame\": " + _frame + ", \"what\": \"" + what + "\", " + more + "}");
    }
}
#endif
