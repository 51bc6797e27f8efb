// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Segue.Net
{
    /// <summary>HTTP/1.1 by HttpClient. Connections are its own, so that players don't wait for each other.</summary>
    public sealed class HttpTransport : ITransport
    {
        /// <summary>Connections to one server: every session holds one for its audio, controls need the others.</summary>
        public const int Connections = 64;

        private readonly HttpClient _client;
        private readonly Uri _server;

        /// <param name="server">Such as http://localhost:7471.</param>
        public HttpTransport(Uri server)
        {
            _server = server;
            var handler = new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false };
            try
            {
                handler.MaxConnectionsPerServer = Connections;
            }
            catch (PlatformNotSupportedException) { }
            // Mono and Unity count by server for the whole program, 2 by default.
            var point = ServicePointManager.FindServicePoint(server);
            if (point.ConnectionLimit < Connections) point.ConnectionLimit = Connections;
            point.UseNagleAlgorithm = false;
            point.Expect100Continue = false;
            _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        }

        public async Task<ITransportResponse> PostAsync(
            string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop)
        {
            // A base address may carry a path of its own, where a proxy serves several things.
            var address = new Uri(_server.AbsoluteUri.TrimEnd('/') + path);
            using (var request = new HttpRequestMessage(HttpMethod.Post, address))
            {
                request.Content = new ByteArrayContent(body);
                foreach (var header in headers)
                {
                    if (header.Key == "content-type") request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(header.Value);
                    else request.Headers.TryAddWithoutValidation(header.Key, header.Value);
                }
                var response = await _client
                    .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false);
                try
                {
                    return new Response(response, await response.Content.ReadAsStreamAsync().ConfigureAwait(false));
                }
                catch
                {
                    response.Dispose();
                    throw;
                }
            }
        }

        public void Dispose() => _client.Dispose();

        private sealed class Response : ITransportResponse
        {
            private readonly HttpResponseMessage _response;
            private readonly Stream _body;

            public Response(HttpResponseMessage response, Stream body)
            {
                _response = response;
                _body = body;
            }

            public int Status => (int)_response.StatusCode;

            public string Header(string name)
            {
                if (_response.Headers.TryGetValues(name, out var values)
                    || _response.Content.Headers.TryGetValues(name, out values)) return string.Join(",", values);
                return null;
            }

            public async Task<int> ReadAsync(byte[] buffer, CancellationToken stop)
            {
                stop.ThrowIfCancellationRequested();
                // Mono's streams ignore the token while they wait: closing the answer wakes them.
                using (stop.Register(Dispose))
                {
                    try
                    {
                        return await _body.ReadAsync(buffer, 0, buffer.Length, stop).ConfigureAwait(false);
                    }
                    catch when (stop.IsCancellationRequested)
                    {
                        throw new OperationCanceledException(stop);
                    }
                }
            }

            public void Dispose()
            {
                try
                {
                    _body.Dispose();
                    _response.Dispose();
                }
                catch (Exception error) when (error is IOException || error is WebException || error is ObjectDisposedException)
                {
                    // It is gone already.
                }
            }
        }
    }
}
