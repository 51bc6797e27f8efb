// SPDX-License-Identifier: Apache-2.0
namespace Segue
{
    /// <summary>How a session stands with its server.</summary>
    public enum ConnectionState
    {
        /// <summary>Not begun.</summary>
        Idle,

        /// <summary>The session is being created, or its first audio is on its way.</summary>
        Connecting,

        /// <summary>Audio arrives.</summary>
        Playing,

        /// <summary>Audio arrives too late or not at all: the fallback is heard, where there is one.</summary>
        Starved,

        /// <summary>The stream broke and is taken up again.</summary>
        Reconnecting,

        /// <summary>The server is gone: another one is asked to go on from what is held here.</summary>
        Resuming,

        /// <summary>A long pause freed the slot; Play brings it back.</summary>
        Suspended,

        /// <summary>The music has come to its end, or the session was closed.</summary>
        Stopped,

        /// <summary>There is no way on; see the session's Error.</summary>
        Failed,
    }
}
