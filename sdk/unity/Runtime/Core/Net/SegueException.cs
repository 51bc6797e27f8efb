// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Segue.V1;

namespace Segue
{
    /// <summary>gRPC's status codes.</summary>
    public enum StatusCode
    {
        Ok = 0,
        Cancelled = 1,
        Unknown = 2,
        InvalidArgument = 3,
        DeadlineExceeded = 4,
        NotFound = 5,
        AlreadyExists = 6,
        PermissionDenied = 7,
        ResourceExhausted = 8,
        FailedPrecondition = 9,
        Aborted = 10,
        OutOfRange = 11,
        Unimplemented = 12,
        Internal = 13,
        Unavailable = 14,
        DataLoss = 15,
        Unauthenticated = 16,
    }

    /// <summary>What a call failed with: the server's sentence and its details.</summary>
    public sealed class SegueException : Exception
    {
        public SegueException(StatusCode code, string message, Exception inner = null) : base(message, inner)
        {
            Code = code;
        }

        public StatusCode Code { get; }

        /// <summary>Segue's machine-readable cause, such as "SERVER_FULL"; "" if none was named.</summary>
        public string Reason { get; internal set; } = "";

        /// <summary>The field of the request that is wrong, if it is about one.</summary>
        public string Field { get; internal set; } = "";

        /// <summary>What kind of name is unknown: "state", "event", …</summary>
        public string Kind { get; internal set; } = "";

        /// <summary>The name that is unknown.</summary>
        public string Name { get; internal set; } = "";

        /// <summary>Names that look like the one that is unknown, best first.</summary>
        public IReadOnlyList<string> NearMisses { get; internal set; } = Array.Empty<string>();

        /// <summary>Names that there are, where one is unknown.</summary>
        public IReadOnlyList<string> Known { get; internal set; } = Array.Empty<string>();

        /// <summary>What is wrong with a soundtrack.</summary>
        public IReadOnlyList<SoundtrackProblem> Problems { get; internal set; } = Array.Empty<SoundtrackProblem>();

        /// <summary>How long to wait before trying again; null if the server named no time.</summary>
        public TimeSpan? RetryAfter { get; internal set; }

        /// <summary>Whether the server says that there is no such session.</summary>
        public bool IsUnknownSession => Code == StatusCode.NotFound && Reason == "UNKNOWN_SESSION";
    }
}
