// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>A server within the test: it does what it is told to, and remembers what it was asked.</summary>
    public sealed class FakeServer : ITransport
    {
        private readonly object _lock = new object();
        private readonly List<Pipe> _open = new List<Pipe>();
        private int _streams;

        /// <summary>Nobody answers.</summary>
        public bool IsDown { get; set; }

        /// <summary>Sessions that the server knows.</summary>
        public HashSet<string> Sessions { get; } = new HashSet<string>();

        public ConcurrentQueue<CreateSessionRequest> Created { get; } = new ConcurrentQueue<CreateSessionRequest>();

        public ConcurrentQueue<StreamAudioRequest> Streams { get; } = new ConcurrentQueue<StreamAudioRequest>();

        public ConcurrentQueue<ControlHeader> Controls { get; } = new ConcurrentQueue<ControlHeader>();

        public ConcurrentQueue<ReportPlaybackRequest> Reports { get; } = new ConcurrentQueue<ReportPlaybackRequest>();

        public ConcurrentQueue<string> Tokens { get; } = new ConcurrentQueue<string>();

        /// <summary>What CreateSession with a resume point is refused with; null: it is not.</summary>
        public string RefusesResume { get; set; }

        /// <summary>The code that goes with it.</summary>
        public int RefusesResumeWith { get; set; } = 3;

        /// <summary>The session's token as streams are told it at their beginning.</summary>
        public string Way { get; set; } = "";

        /// <summary>Streams that are open.</summary>
        public int Listeners
        {
            get { lock (_lock) return _open.Count; }
        }

        public async Task<ITransportResponse> PostAsync(
            string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop)
        {
            await Task.Yield();
            if (IsDown) throw new IOException("connection refused");
            string token = headers.FirstOrDefault(header => header.Key == "authorization").Value ?? "";
            var request = new ProtoReader(body, 5, body.Length - 5);
            switch (path.Substring(path.LastIndexOf('/') + 1))
            {
                case "CreateSession":
                    var create = Read(new CreateSessionRequest(), request);
                    Created.Enqueue(create);
                    if (create.Resume != null && RefusesResume != null) return Refused(RefusesResumeWith, RefusesResume);
                    string id = "s-" + Created.Count;
                    if (create.Resume != null && create.Resume.SessionToken.Length > 0) id = create.Resume.SessionToken.Replace("token of ", "");
                    lock (_lock) Sessions.Add(id);
                    return Answer(new CreateSessionResponse { Session = new Session { SessionId = id }, SessionToken = "token of " + id });
                case "StreamAudio":
                    var listen = Read(new StreamAudioRequest(), request);
                    lock (_lock)
                    {
                        if (!Sessions.Contains(listen.SessionId)) return Refused(5, "UNKNOWN_SESSION");
                        var pipe = new Pipe();
                        _open.Add(pipe);
                        Streams.Enqueue(listen);
                        Tokens.Enqueue(token);
                        pipe.Send(new StreamAudioResponse
                        {
                            Ready = new SessionReady
                            {
                                ListenerId = "l-" + ++_streams,
                                Format = new AudioFormat { Encoding = AudioEncoding.S16 },
                                Session = new Session { SessionId = listen.SessionId, State = "explore", Status = SessionStatus.Playing },
                                ReportEveryMs = 50,
                                SessionToken = Way,
                            },
                        });
                        return pipe;
                    }
                case "Play":
                    var play = Read(new PlayRequest(), request);
                    lock (_lock) if (!Sessions.Contains(play.Control.SessionId)) return Refused(5, "UNKNOWN_SESSION");
                    return Answer(new PlayResponse { Outcome = new ControlOutcome { State = "explore" } });
                case "ReportPlayback":
                    Reports.Enqueue(Read(new ReportPlaybackRequest(), request));
                    return Answer(new ReportPlaybackResponse { ReportEveryMs = 50 });
                case "PostEvent":
                    var post = Read(new PostEventRequest(), request);
                    Controls.Enqueue(post.Control);
                    Tokens.Enqueue(token);
                    bool isThere;
                    lock (_lock) isThere = Sessions.Contains(post.Control.SessionId);
                    if (!isThere) return Refused(5, "UNKNOWN_SESSION");
                    return Answer(new PostEventResponse { Outcome = new ControlOutcome { RequestId = post.Control.RequestId, State = "combat", AudibleAtSample = 9600 } });
                default:
                    return Refused(12, "NOT_BUILT");
            }
        }

        /// <summary>Send a message on every open stream.</summary>
        public void Send(StreamAudioResponse message)
        {
            lock (_lock) _open.ForEach(pipe => pipe.Send(message));
        }

        /// <summary>Send constant samples, with their continuation and a resume point.</summary>
        public void SendAudio(long first, int count, int take = 0, short value = 1000)
        {
            var payload = new byte[4 * count];
            for (int i = 0; i < 2 * count; i++) BitConverter.GetBytes(value).CopyTo(payload, 2 * i);
            Send(new StreamAudioResponse { ResumePoint = new ResumePoint { Token = new byte[] { 42 }, Sample = first, Take = take } });
            Send(new StreamAudioResponse
            {
                Audio = new AudioChunk { FirstSample = first, SampleCount = count, Take = take, Payload = payload, Continuation = BitConverter.GetBytes(first) },
            });
        }

        /// <summary>End every stream: well, or broken.</summary>
        public void End(bool well)
        {
            lock (_lock)
            {
                foreach (var pipe in _open)
                {
                    if (well) pipe.Push(FrameParser.Frame(Encoding.ASCII.GetBytes("grpc-status: 0\r\n"), FrameParser.Trailers));
                    pipe.End();
                }
                _open.Clear();
            }
        }

        /// <summary>Send bytes that are no messages.</summary>
        public void SendRaw(byte[] bytes)
        {
            lock (_lock) _open.ForEach(pipe => pipe.Push(bytes));
        }

        public void Dispose() { }

        private static T Read<T>(T message, ProtoReader from)
            where T : IMessage
        {
            message.MergeFrom(ref from);
            return message;
        }

        private static Pipe Answer(IMessage message)
        {
            var pipe = new Pipe();
            pipe.Push(FrameParser.Frame(ProtoWriter.Serialise(message)));
            pipe.Push(FrameParser.Frame(Encoding.ASCII.GetBytes("grpc-status: 0\r\n"), FrameParser.Trailers));
            pipe.End();
            return pipe;
        }

        private static Pipe Refused(int code, string reason)
        {
            var info = new Rpc.ErrorInfo { Reason = reason, Domain = "segue" };
            var status = new Rpc.Status { Code = code };
            status.Details.Add(new Rpc.Any { TypeUrl = "type.googleapis.com/google.rpc.ErrorInfo", Value = ProtoWriter.Serialise(info) });
            var pipe = new Pipe();
            string trailers = "grpc-status: " + code + "\r\ngrpc-message: refused\r\ngrpc-status-details-bin: " + Convert.ToBase64String(ProtoWriter.Serialise(status)).TrimEnd('=') + "\r\n";
            pipe.Push(FrameParser.Frame(Encoding.ASCII.GetBytes(trailers), FrameParser.Trailers));
            pipe.End();
            return pipe;
        }

        private sealed class Pipe : ITransportResponse
        {
            private readonly ConcurrentQueue<byte[]> _pieces = new ConcurrentQueue<byte[]>();
            private readonly SemaphoreSlim _there = new SemaphoreSlim(0);

            public int Status => 200;

            public string Header(string name) => name == "content-type" ? "application/grpc-web+proto" : null;

            public void Send(StreamAudioResponse message) => Push(FrameParser.Frame(ProtoWriter.Serialise(message)));

            public void Push(byte[] piece)
            {
                for (int at = 0; at < piece.Length; at += 9000)
                {
                    _pieces.Enqueue(piece.Skip(at).Take(9000).ToArray());
                    _there.Release();
                }
            }

            public void End()
            {
                _pieces.Enqueue(new byte[0]);
                _there.Release();
            }

            public async Task<int> ReadAsync(byte[] buffer, CancellationToken stop)
            {
                await _there.WaitAsync(stop);
                _pieces.TryDequeue(out byte[] piece);
                piece.CopyTo(buffer, 0);
                return piece.Length;
            }

            public void Dispose() { }
        }
    }
}
