// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>HttpTransport over real sockets: pieces as they come, breaks, silence, and many streams at once.</summary>
    [TestFixture]
    public sealed class HttpTests
    {
        private const string Head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\ntransfer-encoding: chunked\r\n\r\n";

        [Test]
        public void MessagesAreHandedOnWhileTheAnswerGoesOn()
        {
            var arrivals = new List<long>();
            using (var server = new Server(socket =>
            {
                socket.Send(Encoding.ASCII.GetBytes(Head));
                for (int i = 0; i < 4; i++)
                {
                    Chunk(socket, FrameParser.Frame(new byte[1000]));
                    Thread.Sleep(150);
                }
                Chunk(socket, FrameParser.Frame(Encoding.ASCII.GetBytes("grpc-status: 0\r\n"), FrameParser.Trailers));
                socket.Send(Encoding.ASCII.GetBytes("0\r\n\r\n"));
            }))
            using (var channel = new GrpcWebChannel(new HttpTransport(server.Address)))
            {
                var watch = Stopwatch.StartNew();
                using (var stream = channel.OpenAsync("StreamAudio", new StreamAudioRequest(), "t", CancellationToken.None).GetAwaiter().GetResult())
                    while (stream.NextAsync(CancellationToken.None).GetAwaiter().GetResult() != null) arrivals.Add(watch.ElapsedMilliseconds);
            }
            Check.Equal(4, arrivals.Count);
            // Not a timing but an order: the first was there before the last was sent.
            Check.That(arrivals[3] - arrivals[0] >= 300, "they came together: " + string.Join(" ", arrivals));
        }

        [Test]
        public void AConnectionThatBreaksIsUnavailable()
        {
            using (var server = new Server(socket =>
            {
                socket.Send(Encoding.ASCII.GetBytes(Head));
                Chunk(socket, FrameParser.Frame(new byte[10]));
                socket.Close(0);
            }))
            using (var channel = new GrpcWebChannel(new HttpTransport(server.Address)))
            using (var stream = channel.OpenAsync("StreamAudio", new StreamAudioRequest(), "t", CancellationToken.None).GetAwaiter().GetResult())
            {
                var error = Check.Throws<SegueException>(() =>
                {
                    while (stream.NextAsync(CancellationToken.None).GetAwaiter().GetResult() != null) { }
                });
                Check.Equal(StatusCode.Unavailable, error.Code);
            }
        }

        [Test]
        public void NobodyThereIsUnavailable()
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var address = new Uri("http://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port);
            listener.Stop();
            using (var client = new SegueClient(address))
            {
                client.Channel.Timeout = TimeSpan.FromSeconds(1);
                Check.Equal(StatusCode.Unavailable, Check.Throws<SegueException>(() => client.InfoAsync().GetAwaiter().GetResult()).Code);
            }
        }

        [Test]
        public void AServerThatSaysNothingIsGivenUp()
        {
            using (var quiet = new ManualResetEventSlim())
            using (var server = new Server(socket => quiet.Wait(10000)))
            using (var client = new SegueClient(server.Address))
            {
                client.Channel.Timeout = TimeSpan.FromMilliseconds(300);
                Check.Equal(StatusCode.DeadlineExceeded, Check.Throws<SegueException>(() => client.InfoAsync().GetAwaiter().GetResult()).Code);
                quiet.Set();
            }
        }

        [Test]
        public void AStreamThatWaitsCanBeCancelled()
        {
            using (var quiet = new ManualResetEventSlim())
            using (var server = new Server(socket =>
            {
                socket.Send(Encoding.ASCII.GetBytes(Head));
                quiet.Wait(10000);
            }))
            using (var channel = new GrpcWebChannel(new HttpTransport(server.Address)))
            using (var stop = new CancellationTokenSource())
            using (var stream = channel.OpenAsync("StreamAudio", new StreamAudioRequest(), "t", CancellationToken.None).GetAwaiter().GetResult())
            {
                var next = stream.NextAsync(stop.Token);
                Thread.Sleep(100);
                stop.Cancel();
                Check.That(Task.WhenAny(next, Task.Delay(5000)).GetAwaiter().GetResult() == next, "it goes on waiting");
                Check.That(next.IsFaulted || next.IsCanceled, "it gave a message");
                quiet.Set();
            }
        }

        [Test]
        public void ManyStreamsLeaveRoomForControls()
        {
            using (var quiet = new ManualResetEventSlim())
            using (var server = new Server(socket =>
            {
                socket.Send(Encoding.ASCII.GetBytes(Head));
                quiet.Wait(10000);
            }, socket =>
            {
                var body = FrameParser.Frame(new byte[0]).Concat(FrameParser.Frame(Encoding.ASCII.GetBytes("grpc-status: 0\r\n"), FrameParser.Trailers)).ToArray();
                socket.Send(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: " + body.Length + "\r\n\r\n"));
                socket.Send(body);
            }))
            {
                var channels = Enumerable.Range(0, 5).Select(_ => new GrpcWebChannel(new HttpTransport(server.Address))).ToList();
                var streams = channels.Select(channel => channel.OpenAsync("StreamAudio", new StreamAudioRequest(), "t", CancellationToken.None).GetAwaiter().GetResult()).ToList();
                var calls = channels.SelectMany(channel => Enumerable.Range(0, 4).Select(_ => channel.CallAsync(
                    "GetServerInfo", new GetServerInfoRequest(), new GetServerInfoResponse(), "t", CancellationToken.None, TimeSpan.FromSeconds(8)))).ToArray();
                Check.That(Task.WaitAll(calls, 9000), "controls wait for streams");
                quiet.Set();
                streams.ForEach(stream => stream.Dispose());
                channels.ForEach(channel => channel.Dispose());
            }
        }

        private static void Chunk(Socket socket, byte[] bytes)
        {
            socket.Send(Encoding.ASCII.GetBytes(bytes.Length.ToString("x") + "\r\n"));
            socket.Send(bytes);
            socket.Send(Encoding.ASCII.GetBytes("\r\n"));
        }

        /// <summary>Answers every connection's first request: StreamAudio by the one, others by the other.</summary>
        private sealed class Server : IDisposable
        {
            private volatile bool _stopped;
            private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);

            public Server(Action<Socket> stream, Action<Socket> unary = null)
            {
                _listener.Start(64);
                new Thread(() =>
                {
                    // Asked for instead of waited for: stopping a listener that waits is a matter of platforms.
                    while (!_stopped)
                    {
                        if (!_listener.Pending())
                        {
                            Thread.Sleep(2);
                            continue;
                        }
                        var socket = _listener.AcceptSocket();
                        new Thread(() => Answer(socket, stream, unary ?? stream)) { IsBackground = true }.Start();
                    }
                    _listener.Stop();
                }) { IsBackground = true }.Start();
            }

            public Uri Address => new Uri("http://127.0.0.1:" + ((IPEndPoint)_listener.LocalEndpoint).Port);

            public void Dispose() => _stopped = true;

            private static void Answer(Socket socket, Action<Socket> stream, Action<Socket> unary)
            {
                try
                {
                    using (socket)
                    {
                        var buffer = new byte[8192];
                        string request = "";
                        while (!request.Contains("\r\n\r\n"))
                        {
                            int count = socket.Receive(buffer);
                            if (count == 0) return;
                            request += Encoding.ASCII.GetString(buffer, 0, count);
                        }
                        (request.Contains("/StreamAudio") ? stream : unary)(socket);
                        Thread.Sleep(50);
                    }
                }
                catch (Exception error) when (error is SocketException || error is ObjectDisposedException) { }
            }
        }
    }
}
