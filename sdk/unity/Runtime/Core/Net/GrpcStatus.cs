// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Segue.Rpc;
using Segue.V1;
using Segue.Wire;

namespace Segue.Net
{
    /// <summary>How a call ended, from its trailers or headers.</summary>
    public static class GrpcStatus
    {
        private const string DetailsKey = "grpc-status-details-bin";

        /// <summary>A trailer frame's lines, keys in lower case.</summary>
        public static Dictionary<string, string> Trailers(byte[] payload)
        {
            var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (string line in Encoding.UTF8.GetString(payload).Split('\n'))
            {
                int colon = line.IndexOf(':');
                if (colon > 0) found[line.Substring(0, colon).Trim().ToLowerInvariant()] = line.Substring(colon + 1).Trim();
            }
            return found;
        }

        /// <summary>What a call failed with; null if it did not fail.</summary>
        /// <param name="value">A trailer's or header's value by its key in lower case, or null.</param>
        public static SegueException Error(Func<string, string> value)
        {
            string status = value("grpc-status");
            if (!int.TryParse(status, NumberStyles.Integer, CultureInfo.InvariantCulture, out int code))
                return new SegueException(StatusCode.Unknown, "gRPC-Web: expected a grpc-status, got " + (status ?? "none"));
            if (code == 0) return null;
            var known = code > 0 ? (StatusCode)code : StatusCode.Unknown;
            string message = Unescaped(value("grpc-message") ?? "");
            var error = new SegueException(known, message.Length > 0 ? message : known.ToString());
            string details = value(DetailsKey);
            if (!string.IsNullOrEmpty(details)) Read(error, details);
            return error;
        }

        /// <summary>What an answer without gRPC's own status amounts to.</summary>
        public static SegueException OfHttp(int status)
        {
            StatusCode code;
            switch (status)
            {
                case 400: code = StatusCode.Internal; break;
                case 401: code = StatusCode.Unauthenticated; break;
                case 403: code = StatusCode.PermissionDenied; break;
                case 404: code = StatusCode.Unimplemented; break;
                case 429: case 502: case 503: case 504: code = StatusCode.Unavailable; break;
                default: code = StatusCode.Unknown; break;
            }
            return new SegueException(code, "HTTP " + status + " where gRPC-Web was expected: is this a Segue server's web port?");
        }

        private static void Read(SegueException error, string base64)
        {
            try
            {
                base64 = base64.TrimEnd('=');
                var bytes = Convert.FromBase64String(base64 + new string('=', (4 - base64.Length % 4) % 4));
                foreach (var detail in Status.Parse(bytes).Details) Read(error, detail);
            }
            catch (Exception broken) when (broken is FormatException || broken is MalformedException)
            {
                // What is not understood is left out: code and message stand.
            }
        }

        private static void Read(SegueException error, Any detail)
        {
            try
            {
                Take(error, detail);
            }
            catch (MalformedException)
            {
                // The other details stand.
            }
        }

        private static void Take(SegueException error, Any detail)
        {
            switch (detail.TypeUrl.Substring(detail.TypeUrl.LastIndexOf('/') + 1))
            {
                case "google.rpc.ErrorInfo":
                    error.Reason = ErrorInfo.Parse(detail.Value).Reason;
                    break;
                case "google.rpc.BadRequest":
                    var bad = BadRequest.Parse(detail.Value);
                    if (bad.FieldViolations.Count > 0) error.Field = bad.FieldViolations[0].Field;
                    break;
                case "google.rpc.RetryInfo":
                    var delay = RetryInfo.Parse(detail.Value).RetryDelay ?? new Duration();
                    error.RetryAfter = TimeSpan.FromMilliseconds(delay.Seconds * 1e3 + delay.Nanos / 1e6);
                    break;
                case "segue.v1.UnknownName":
                    var unknown = UnknownName.Parse(detail.Value);
                    error.Kind = unknown.Kind;
                    error.Name = unknown.Name;
                    error.NearMisses = unknown.NearMisses;
                    error.Known = unknown.Known;
                    break;
                case "segue.v1.SoundtrackProblems":
                    error.Problems = SoundtrackProblems.Parse(detail.Value).Problems;
                    break;
            }
        }

        /// <summary>grpc-message is percent-encoded UTF-8.</summary>
        private static string Unescaped(string text)
        {
            var bytes = new List<byte>(text.Length);
            for (int i = 0; i < text.Length; i++)
            {
                if (text[i] == '%' && i + 2 < text.Length && byte.TryParse(
                    text.Substring(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
                {
                    bytes.Add(value);
                    i += 2;
                }
                else bytes.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
            }
            return Encoding.UTF8.GetString(bytes.ToArray());
        }
    }
}
