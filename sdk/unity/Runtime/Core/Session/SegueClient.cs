// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue
{
    /// <summary>A server's address. Any thread. Sessions are made by it and outlive it on the server for a grace period.</summary>
    public sealed class SegueClient : IDisposable
    {
        private readonly string _token;

        /// <param name="server">The server's web port, such as http://localhost:7471.</param>
        /// <param name="token">The operator's or tenant's, where the server asks for one to create sessions.</param>
        /// <param name="transport">Instead of HttpClient.</param>
        public SegueClient(Uri server, string token = null, ITransport transport = null)
        {
            _token = token;
            Channel = new GrpcWebChannel(transport ?? new HttpTransport(server));
        }

        internal GrpcWebChannel Channel { get; }

        /// <summary>What the server is and can do. Throws <see cref="SegueException"/>.</summary>
        public Task<GetServerInfoResponse> InfoAsync(CancellationToken stop = default) =>
            Channel.CallAsync("GetServerInfo", new GetServerInfoRequest(), new GetServerInfoResponse(), _token, stop);

        /// <summary>A new session, which is created once it is started.</summary>
        public SoundtrackSession Create(SessionOptions options) => new SoundtrackSession(this, options, _token, null, null, null);

        /// <summary>A session that somebody else created and whose token was handed out.</summary>
        public SoundtrackSession Attach(string sessionId, string sessionToken, SessionOptions options = null)
        {
            if (string.IsNullOrEmpty(sessionId)) throw new ArgumentException("expected the id of a session", nameof(sessionId));
            return new SoundtrackSession(this, options ?? new SessionOptions(), _token, sessionId, sessionToken, null);
        }

        /// <summary>Another session that goes on from what <see cref="SoundtrackSession.Save"/> gave. Throws ArgumentException.</summary>
        public SoundtrackSession Resume(byte[] saved, SessionOptions options = null)
        {
            ResumeRequest request;
            try
            {
                request = ResumeRequest.Parse(saved);
            }
            catch (MalformedException error)
            {
                throw new ArgumentException("expected the bytes that Save gave", nameof(saved), error);
            }
            if (request.Token.Length == 0) throw new ArgumentException("expected the bytes that Save gave", nameof(saved));
            return new SoundtrackSession(this, options ?? new SessionOptions(), _token, null, null, request);
        }

        public void Dispose() => Channel.Dispose();
    }
}
