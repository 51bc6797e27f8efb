// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using Segue.Wire;

namespace Segue.Net
{
    /// <summary>Calls of LiveSoundtrackService by gRPC-Web over any HTTP. Any threads.</summary>
    public sealed class GrpcWebChannel : IDisposable
    {
        private const string Service = "/segue.v1.LiveSoundtrackService/";
        private const int Tries = 4;
        private readonly ITransport _transport;

        public GrpcWebChannel(ITransport transport) => _transport = transport;

        /// <summary>How long a unary call may take, its retries included.</summary>
        public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

        /// <summary>
        /// One unary call; `answer` is filled and given back. A server that is not there is tried again: controls and
        /// CreateSession carry a request_id, so that a repeated one happens once. Throws <see cref="SegueException"/>.
        /// </summary>
        public async Task<T> CallAsync<T>(
            string method, IMessage request, T answer, string token, CancellationToken stop, TimeSpan? timeout = null)
            where T : IMessage
        {
            var until = DateTime.UtcNow + (timeout ?? Timeout);
            for (int attempt = 1; ; attempt++)
            {
                var left = until - DateTime.UtcNow;
                try
                {
                    return await OnceAsync(method, request, answer, token, stop, left).ConfigureAwait(false);
                }
                catch (SegueException error) when (error.Code == StatusCode.Unavailable && attempt < Tries)
                {
                    var pause = Backoff.Before(attempt);
                    if (error.RetryAfter > pause) pause = error.RetryAfter.Value;
                    if (DateTime.UtcNow + pause >= until) throw;
                    await Task.Delay(pause, stop).ConfigureAwait(false);
                }
            }
        }

        /// <summary>Begin a server stream. Throws <see cref="SegueException"/>, OperationCanceledException.</summary>
        public async Task<ServerStream> OpenAsync(string method, IMessage request, string token, CancellationToken stop)
        {
            ITransportResponse response = null;
            try
            {
                response = await PostAsync(method, request, token, null, stop).ConfigureAwait(false);
                var stream = new ServerStream(response);
                response = null;
                return stream;
            }
            finally
            {
                response?.Dispose();
            }
        }

        public void Dispose() => _transport.Dispose();

        private async Task<T> OnceAsync<T>(
            string method, IMessage request, T answer, string token, CancellationToken stop, TimeSpan left)
            where T : IMessage
        {
            using (var deadline = CancellationTokenSource.CreateLinkedTokenSource(stop))
            {
                if (left < TimeSpan.FromMilliseconds(1)) left = TimeSpan.FromMilliseconds(1);
                deadline.CancelAfter(left);
                try
                {
                    using (var response = await PostAsync(method, request, token, left, deadline.Token).ConfigureAwait(false))
                    using (var stream = new ServerStream(response))
                    {
                        var bytes = await stream.NextAsync(deadline.Token).ConfigureAwait(false);
                        if (bytes == null) throw new SegueException(StatusCode.Internal, method + ": expected an answer, got none");
                        if (await stream.NextAsync(deadline.Token).ConfigureAwait(false) != null)
                            throw new SegueException(StatusCode.Internal, method + ": expected one answer, got more");
                        var reader = new ProtoReader(bytes);
                        answer.MergeFrom(ref reader);
                        return answer;
                    }
                }
                catch (OperationCanceledException) when (!stop.IsCancellationRequested)
                {
                    throw new SegueException(StatusCode.DeadlineExceeded, method + ": no answer in time");
                }
                catch (MalformedException error)
                {
                    throw new SegueException(StatusCode.Internal, method + ": " + error.Message, error);
                }
            }
        }

        private async Task<ITransportResponse> PostAsync(
            string method, IMessage request, string token, TimeSpan? timeout, CancellationToken stop)
        {
            var headers = new List<KeyValuePair<string, string>>
            {
                new KeyValuePair<string, string>("content-type", "application/grpc-web+proto"),
                new KeyValuePair<string, string>("accept", "application/grpc-web+proto"),
                new KeyValuePair<string, string>("x-grpc-web", "1"),
                new KeyValuePair<string, string>("x-user-agent", "segue-unity/" + PackageVersion.Text),
            };
            if (!string.IsNullOrEmpty(token)) headers.Add(new KeyValuePair<string, string>("authorization", "Bearer " + token));
            if (timeout.HasValue)
            {
                long milliseconds = Math.Max(1, (long)timeout.Value.TotalMilliseconds);
                headers.Add(new KeyValuePair<string, string>(
                    "grpc-timeout", Math.Min(99999999, milliseconds).ToString(CultureInfo.InvariantCulture) + "m"));
            }
            try
            {
                var body = FrameParser.Frame(ProtoWriter.Serialise(request));
                return await _transport.PostAsync(Service + method, body, headers, stop).ConfigureAwait(false);
            }
            catch (Exception error) when (!stop.IsCancellationRequested && !(error is SegueException))
            {
                var cause = error.GetBaseException();
                throw new SegueException(StatusCode.Unavailable, "the server can't be reached: " + cause.Message, error);
            }
            catch (Exception error) when (stop.IsCancellationRequested && !(error is OperationCanceledException))
            {
                throw new OperationCanceledException(stop);
            }
        }
    }
}
