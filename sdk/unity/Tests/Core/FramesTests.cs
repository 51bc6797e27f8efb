// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Segue.Net;
using Segue.V1;

namespace Segue.Tests
{
    [TestFixture]
    public sealed class FramesTests
    {
        private const string Binary = "application/grpc-web+proto";

        [Test]
        public void BodiesAreReadHoweverTheyAreCut()
        {
            foreach (var vector in Binaries("bodies"))
            {
                var expect = vector.Object("expect");
                var messages = ((List<object>)expect["messages"]).Cast<string>().ToList();
                foreach (var body in Cuts(vector.Hex("hex")))
                {
                    var got = Read(body, out SegueException error);
                    Check.That(messages.SequenceEqual(got), vector.Text("case") + ": expected " + string.Join(" ", messages) + ", got " + string.Join(" ", got));
                    Check.Equal((int)expect.Whole("code"), error == null ? 0 : (int)error.Code, vector.Text("case"));
                    string message = expect.Text("message");
                    if (!string.IsNullOrEmpty(message)) Check.Equal(message, error?.Message, vector.Text("case"));
                }
            }
        }

        [Test]
        public void FaultyBodiesEndTheCallWithOneOfTheCodes()
        {
            foreach (var vector in Binaries("refused"))
            {
                var codes = ((List<object>)vector["codes"]).Select(code => (int)(double)code).ToList();
                foreach (var body in Cuts(vector.Hex("hex")))
                {
                    Read(body, out SegueException error);
                    Check.That(error != null && codes.Contains((int)error.Code), vector.Text("case") + ": got " + (error == null ? "no error" : error.Code + " " + error.Message));
                }
            }
        }

        [Test]
        public void AMessageIsHandedOnWithItsLastByte()
        {
            var body = FrameParser.Frame(new byte[] { 1, 2, 3 });
            var parser = new FrameParser();
            parser.Push(body, 0, body.Length - 1);
            Check.That(!parser.TryNext(out byte _, out byte[] _), "too early");
            parser.Push(body, body.Length - 1, 1);
            Check.That(parser.TryNext(out byte _, out byte[] message), "not with the last byte");
            Check.Same(new byte[] { 1, 2, 3 }, message);
        }

        [Test]
        public void StatusLinesAndHeadersDecide()
        {
            foreach (var vector in Vectors.Read("frames.json").List("http"))
            {
                var headers = vector.Object("headers").ToDictionary(pair => pair.Key, pair => (string)pair.Value);
                var answer = new Canned((int)vector.Whole("status"), headers, new List<byte[]> { vector.Hex("hex") });
                Read(answer, out SegueException error);
                Check.Equal((int)vector.Whole("code"), error == null ? 0 : (int)error.Code, vector.Text("case"));
                if (vector.ContainsKey("message")) Check.Equal(vector.Text("message"), error?.Message, vector.Text("case"));
            }
        }

        [Test]
        public void RequestsAreFramedAndTellTheirDeadline()
        {
            foreach (var vector in Vectors.Read("frames.json").List("requests").Where(vector => vector.ContainsKey("message_hex")))
                Check.Same(vector.Hex("hex"), FrameParser.Frame(vector.Hex("message_hex")), vector.Text("case"));
            var transport = new Recorder();
            var channel = new GrpcWebChannel(transport) { Timeout = TimeSpan.FromSeconds(10) };
            channel.CallAsync("GetServerInfo", new GetServerInfoRequest(), new GetServerInfoResponse(), "secret", CancellationToken.None).GetAwaiter().GetResult();
            Check.Equal("/segue.v1.LiveSoundtrackService/GetServerInfo", transport.Path);
            Check.Equal("Bearer secret", transport.Headers["authorization"]);
            Check.Equal(Binary, transport.Headers["content-type"]);
            long milliseconds = long.Parse(transport.Headers["grpc-timeout"].TrimEnd('m'));
            Check.That(milliseconds > 9000 && milliseconds <= 10000, "deadline " + milliseconds);
        }

        [Test]
        public void ErrorsCarryTheirDetails()
        {
            foreach (var vector in Vectors.Read("errors.json").List("errors"))
            {
                var trailers = vector.Object("trailers");
                var expect = vector.Object("expect");
                string what = vector.Text("case");
                var error = GrpcStatus.Error(key => trailers.TryGetValue(key, out object value) ? (string)value : null);
                Check.Equal((int)expect.Whole("code"), error == null ? 0 : (int)error.Code, what);
                if (error == null) continue;
                if (expect.Text("message") != null) Check.Equal(expect.Text("message"), error.Message, what);
                Check.Equal(expect.Text("reason"), error.Reason, what);
                Check.Equal(expect.Text("field"), error.Field, what);
                Check.Equal(expect.Text("kind"), error.Kind, what);
                Check.Equal(expect.Text("name"), error.Name, what);
                Check.That(((List<object>)expect["near_misses"]).Cast<string>().SequenceEqual(error.NearMisses), what + ": near misses");
                Check.That(((List<object>)expect["known"]).Cast<string>().SequenceEqual(error.Known), what + ": known");
                Check.Equal(((List<object>)expect["problems"]).Count, error.Problems.Count, what);
                Check.Equal(expect.Whole("retry_after_ms", -1), error.RetryAfter.HasValue ? (long)error.RetryAfter.Value.TotalMilliseconds : -1, what);
            }
        }

        private static IEnumerable<Dictionary<string, object>> Binaries(string key) =>
            Vectors.Read("frames.json").List(key).Where(vector => vector.ContainsKey("hex") && (vector.Text("content_type") ?? Binary) == Binary);

        private static IEnumerable<Canned> Cuts(byte[] body)
        {
            var headers = new Dictionary<string, string> { ["content-type"] = Binary };
            yield return new Canned(200, headers, new List<byte[]> { body });
            for (int at = 1; at < body.Length; at++)
                yield return new Canned(200, headers, new List<byte[]> { body.Take(at).ToArray(), body.Skip(at).ToArray() });
            yield return new Canned(200, headers, body.Select(one => new[] { one }).ToList());
        }

        private static List<string> Read(ITransportResponse answer, out SegueException error)
        {
            var got = new List<string>();
            error = null;
            try
            {
                var stream = new ServerStream(answer);
                for (byte[] message; (message = stream.NextAsync(CancellationToken.None).GetAwaiter().GetResult()) != null;) got.Add(Check.Hex(message));
            }
            catch (SegueException thrown)
            {
                error = thrown;
            }
            return got;
        }

        /// <summary>An answer that comes in given pieces.</summary>
        private sealed class Canned : ITransportResponse
        {
            private readonly Dictionary<string, string> _headers;
            private readonly Queue<byte[]> _pieces;

            public Canned(int status, Dictionary<string, string> headers, List<byte[]> pieces)
            {
                Status = status;
                _headers = headers;
                _pieces = new Queue<byte[]>(pieces.Where(piece => piece.Length > 0));
            }

            public int Status { get; }

            public string Header(string name) => _headers.TryGetValue(name, out string value) ? value : null;

            public Task<int> ReadAsync(byte[] buffer, CancellationToken stop)
            {
                if (_pieces.Count == 0) return Task.FromResult(0);
                var piece = _pieces.Dequeue();
                piece.CopyTo(buffer, 0);
                return Task.FromResult(piece.Length);
            }

            public void Dispose() { }
        }

        private sealed class Recorder : ITransport
        {
            public string Path;
            public Dictionary<string, string> Headers;

            public Task<ITransportResponse> PostAsync(
                string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop)
            {
                Path = path;
                Headers = headers.ToDictionary(pair => pair.Key, pair => pair.Value);
                var trailers = FrameParser.Frame(System.Text.Encoding.ASCII.GetBytes("grpc-status: 0\r\n"), FrameParser.Trailers);
                var answer = FrameParser.Frame(new byte[0]).Concat(trailers).ToArray();
                return Task.FromResult<ITransportResponse>(new Canned(
                    200, new Dictionary<string, string> { ["content-type"] = Binary }, new List<byte[]> { answer }));
            }

            public void Dispose() { }
        }
    }
}
