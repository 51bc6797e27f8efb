// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;
using Segue.Wire;

namespace Segue.Net
{
    /// <summary>The messages of one answer, in order, as they come. One thread at a time.</summary>
    public sealed class ServerStream : IDisposable
    {
        private readonly ITransportResponse _response;
        private readonly FrameParser _frames = new FrameParser();
        private readonly byte[] _buffer = new byte[16 << 10];
        private SegueException _error;
        private bool _hasTrailers;
        private bool _ended;

        public ServerStream(ITransportResponse response)
        {
            _response = response;
            string type = response.Header("content-type") ?? "";
            bool isGrpc = type.StartsWith("application/grpc-web", StringComparison.OrdinalIgnoreCase)
                && !type.StartsWith("application/grpc-web-text", StringComparison.OrdinalIgnoreCase);
            if (response.Header("grpc-status") != null)
            {
                var error = GrpcStatus.Error(key => response.Header(key));
                if (error != null) throw error;
                _ended = true;
            }
            else if (response.Status != 200 || !isGrpc) throw GrpcStatus.OfHttp(response.Status);
        }

        /// <summary>The next message; null at a good end. Throws <see cref="SegueException"/>, OperationCanceledException.</summary>
        public async Task<byte[]> NextAsync(CancellationToken stop)
        {
            while (!_ended)
            {
                if (TryNext(out byte[] message)) return message;
                int count;
                try
                {
                    count = await _response.ReadAsync(_buffer, stop).ConfigureAwait(false);
                }
                catch (Exception error) when (!(error is OperationCanceledException))
                {
                    throw new SegueException(StatusCode.Unavailable, "the connection broke: " + error.GetBaseException().Message, error);
                }
                if (count == 0 && _error != null) throw _error;
                if (count == 0 && _hasTrailers) _ended = true;
                else if (count == 0)
                    throw new SegueException(StatusCode.Unavailable, "the connection ended without saying why");
                else _frames.Push(_buffer, 0, count);
            }
            return null;
        }

        public void Dispose() => _response.Dispose();

        private bool TryNext(out byte[] message)
        {
            message = null;
            try
            {
                if (_hasTrailers && !_frames.IsWithinFrame) return false;
                if (_hasTrailers) throw new MalformedException("gRPC-Web: something follows the trailers");
                if (!_frames.TryNext(out byte flag, out byte[] payload)) return false;
                if (flag != FrameParser.Trailers)
                {
                    message = payload;
                    return true;
                }
                // The answer is read to its very end, so that the connection can be used again.
                _hasTrailers = true;
                if (_frames.IsWithinFrame) throw new MalformedException("gRPC-Web: something follows the trailers");
                var trailers = GrpcStatus.Trailers(payload);
                _error = GrpcStatus.Error(key => trailers.TryGetValue(key, out string value) ? value : null);
                return false;
            }
            catch (MalformedException error)
            {
                throw new SegueException(StatusCode.Internal, "the server sent what is not the protocol: " + error.Message, error);
            }
        }
    }
}
