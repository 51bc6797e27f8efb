// SPDX-License-Identifier: Apache-2.0
using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace Segue.Tests
{
    /// <summary>
    /// A bad network between a client and a server: what the server sends is late by a while that changes, or held, or
    /// not what it sent; or somebody else answers.
    /// </summary>
    public sealed class SlowProxy : IDisposable
    {
        private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly Uri _server;
        private readonly int _delay;
        private readonly int _jitter;
        private volatile bool _stopped;
        private int _open;

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

        /// <summary>What becomes of a piece that the server has sent, of so many bytes: what is handed on; null cuts the connection.</summary>
        public volatile Func<byte[], int, byte[]> Garbles;

        /// <summary>Who is in the server's place for connections to come, on a thread of its own; the connection ends with it.</summary>
        public volatile Action<Socket> Answers;

        /// <summary>Directions of connections that are open.</summary>
        public int Open => Volatile.Read(ref _open);

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
                var answers = Answers;
                if (answers != null)
                {
                    Background(() => Answer(client, answers));
                    continue;
                }
                try
                {
                    var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    server.Connect(_server.Host, _server.Port);
                    client.NoDelay = true;
                    Interlocked.Add(ref _open, 2);
                    Background(() => Carry(client, server, 0, 0, false));
                    Background(() => Carry(server, client, _delay, _jitter, true));
                }
                catch (SocketException)
                {
                    client.Dispose();
                }
            }
            _listener.Stop();
        }

        private static void Answer(Socket client, Action<Socket> answers)
        {
            try
            {
                client.Receive(new byte[64 << 10]);
                answers(client);
                client.Shutdown(SocketShutdown.Send);
                // Closed with something unread, it would be a reset, and what was sent might be lost.
                client.ReceiveTimeout = 1000;
                while (client.Receive(new byte[64 << 10]) > 0) { }
            }
            catch (Exception error) when (error is SocketException || error is ObjectDisposedException) { }
            client.Dispose();
        }

        private void Carry(Socket from, Socket to, int delay, int jitter, bool garbles)
        {
            var buffer = new byte[64 << 10];
            try
            {
                var dice = new Random(from.LocalEndPoint.GetHashCode());
                for (int count; !_stopped && (count = from.Receive(buffer)) > 0;)
                {
                    if (delay > 0) Thread.Sleep(delay + dice.Next(jitter + 1));
                    while (Holds && !_stopped) Thread.Sleep(5);
                    var garbled = garbles ? Garbles : null;
                    if (garbled == null) to.Send(buffer, count, SocketFlags.None);
                    else if (garbled(buffer, count) is byte[] piece) to.Send(piece);
                    else break;
                }
            }
            catch (Exception error) when (error is SocketException || error is ObjectDisposedException) { }
            End(from);
            End(to);
            Interlocked.Decrement(ref _open);
        }

        /// <summary>Told to both sides, also while another thread waits for the socket.</summary>
        private static void End(Socket socket)
        {
            try
            {
                socket.Shutdown(SocketShutdown.Both);
            }
            catch (Exception error) when (error is SocketException || error is ObjectDisposedException) { }
            socket.Dispose();
        }

        private static void Background(ThreadStart work) => new Thread(work) { IsBackground = true }.Start();
    }
}
