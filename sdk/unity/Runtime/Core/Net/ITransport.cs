// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Segue.Net
{
    /// <summary>
    /// HTTP as gRPC-Web needs it: a POST whose answer can be read while it comes. Any thread. A platform without
    /// sockets, such as a browser, brings one of its own.
    /// </summary>
    public interface ITransport : IDisposable
    {
        /// <summary>Send a request; done when the answer's headers are there. Throws any exception if it can't.</summary>
        /// <param name="path">"/package.Service/Method".</param>
        Task<ITransportResponse> PostAsync(
            string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop);
    }

    /// <summary>An answer whose body is still coming. Disposing of it ends the exchange.</summary>
    public interface ITransportResponse : IDisposable
    {
        /// <summary>HTTP's status.</summary>
        int Status { get; }

        /// <summary>A header's value, or null.</summary>
        string Header(string name);

        /// <summary>Some bytes of the body as soon as there are any; 0 at its end.</summary>
        Task<int> ReadAsync(byte[] buffer, CancellationToken stop);
    }
}
