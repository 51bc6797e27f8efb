// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using Segue.Audio;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>A sound card and a game loop: it calls back every 10 ms, looks at what it is given, and polls events.</summary>
    internal sealed class Card : IDisposable
    {
        private const int Callback = 480;
        private readonly Thread _thread;
        private volatile bool _stopped;
        private volatile float _last;
        private volatile float _loudest;
        private volatile int _wrong;
        private long _back;
        private long _silent;
        private long _rendered;

        public Card(SoundtrackSession session)
        {
            Session = session;
            session.Start();
            _thread = new Thread(Run) { IsBackground = true };
            _thread.Start();
        }

        public SoundtrackSession Session { get; }

        public List<Event> Events { get; } = new List<Event>();

        public float Last => _last;

        public float Loudest => _loudest;

        /// <summary>Samples that were no number, or beyond full scale by more than a crossfade can add.</summary>
        public int Wrong => _wrong;

        /// <summary>Callbacks in which the playhead went back.</summary>
        public long Back => Interlocked.Read(ref _back);

        /// <summary>Callbacks so far.</summary>
        public long Rendered => Interlocked.Read(ref _rendered);

        /// <summary>Callbacks that were digital silence.</summary>
        public long Silent => Interlocked.Read(ref _silent);

        public void Until(Func<bool> holds, string what, int seconds = 15)
        {
            try
            {
                Check.Soon(() =>
                {
                    for (Event raised; (raised = Session.NextEvent()) != null;) Events.Add(raised);
                    return holds();
                }, what, seconds);
            }
            catch (InvalidOperationException error)
            {
                throw new InvalidOperationException(
                    error.Message + " (" + Session.State + ", " + Session.Mixer.Mode + ", playhead " + Session.Mixer.Playhead + ", reserve " + Session.Mixer.Reserve + ", underruns "
                    + Session.Mixer.Underruns + ", " + Session.Error + ")", error);
            }
        }

        public void Dispose()
        {
            _stopped = true;
            _thread.Join();
            Session.Dispose();
        }

        private void Run()
        {
            var buffer = new float[2 * Callback];
            var watch = Stopwatch.StartNew();
            long playhead = -1;
            for (long played = 0; !_stopped;)
            {
                if (played > watch.Elapsed.TotalSeconds * 48000)
                {
                    Thread.Sleep(2);
                    continue;
                }
                Session.Mixer.Render(buffer, Callback, 2, 48000);
                played += Callback;
                Interlocked.Increment(ref _rendered);
                _last = buffer[2 * Callback - 1];
                float loudest = 0f;
                foreach (float value in buffer)
                {
                    if (!(Math.Abs(value) <= 2f)) _wrong++;
                    loudest = Math.Max(loudest, Math.Abs(value));
                }
                if (loudest == 0f) Interlocked.Increment(ref _silent);
                if (loudest > _loudest) _loudest = loudest;
                if (Session.Mixer.Playhead < playhead) Interlocked.Increment(ref _back);
                playhead = Session.Mixer.Playhead;
            }
        }
    }

    /// <summary>A server that $NAME names: its address and the port of what can kill it and start it again.</summary>
    internal sealed class TestServer
    {
        private readonly int _control;

        /// <summary>Skips the test if the variable names none.</summary>
        public TestServer(string variable)
        {
            string named = Environment.GetEnvironmentVariable(variable);
            if (string.IsNullOrEmpty(named)) Check.Skip("$" + variable + " names no server");
            var words = named.Split(' ');
            Address = new Uri(words[0]);
            _control = int.Parse(words[1]);
        }

        public Uri Address { get; }

        /// <summary>kill -9, in mid-stream.</summary>
        public void Kill() => Control("kill");

        /// <summary>Start it again, and wait until it is ready.</summary>
        public void Start() => Control("start");

        private void Control(string word)
        {
            using (var socket = new TcpClient("127.0.0.1", _control))
            using (var stream = socket.GetStream())
            using (var writer = new StreamWriter(stream))
            using (var reader = new StreamReader(stream))
            {
                writer.WriteLine(word);
                writer.Flush();
                Check.Equal("ok", reader.ReadLine());
            }
        }
    }
}
