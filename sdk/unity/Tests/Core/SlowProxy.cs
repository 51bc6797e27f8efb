// SPDX-License-Identifier: Apache-2.0
using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace Segue.Tests
{
    /// <summary>A bad network between a client and a server: what the server sends is late by a while that changes, or held.</summary>
    public sealed class SlowProxy : IDisposable
    {
        private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly Uri _server;
        private readonly int _delay;
        private readonly int _jitter;
        private volatile bool _stopped;

        /// <param name="delay">Milliseconds that everything is late by.</param>
        /// <param name="jitter">Milliseconds that it may be later.</param>
        public SlowProxy(Uri server, int delay, int jitter)
        {
            _server = server;
            _delay = delay;
            _jitter = jitter;
            _listener.Start();
            Background(Accept);
        }

        /// <summary>Nothing gets through, in either direction, and nobody is told.</summary>
        public volatile bool Holds;

        public Uri Address => new Uri("http://127.0.0.1:" + ((IPEndPoint)_listener.LocalEndpoint).Port);

        public void Dispose() => _stopped = true;

        private void Accept()
        {
            while (!_stopped)
            {
                if (!_listener.Pending())
                {
                    Thread.Sleep(2);
                    continue;
                }
                var client = _listener.AcceptSocket();
                try
                {
                    var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    server.Connect(_server.Host, _server.Port);
                    client.NoDelay = true;
                    Background(() => Carry(client, server, 0, 0));
                    Background(() => Carry(server, client, _delay, _jitter));
                }
                catch (SocketException)
                {
                    client.Dispose();
                }
            }
            _listener.Stop();
        }

        private void Carry(Socket from, Socket to, int delay, int jitter)
        {
            var dice = new Random(from.LocalEndPoint.GetHashCode());
            var buffer = new byte[64 << 10];
            try
            {
                for (int count; !_stopped && (count = from.Receive(buffer)) > 0;)
                {
                    if (delay > 0) Thread.Sleep(delay + dice.Next(jitter + 1));
                    while (Holds && !_stopped) Thread.Sleep(5);
                    to.Send(buffer, count, SocketFlags.None);
                }
            }
            catch (Exception error) when (error is SocketException || error is ObjectDisposedException) { }
            from.Dispose();
            to.Dispose();
        }

        private static void Background(ThreadStart work) => new Thread(work) { IsBackground = true }.Start();
    }
}
