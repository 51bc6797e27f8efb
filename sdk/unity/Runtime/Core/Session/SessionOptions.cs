// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using Segue.V1;

namespace Segue
{
    /// <summary>What a session shall be. Not changed once it is handed over.</summary>
    public sealed class SessionOptions
    {
        /// <summary>Id of a soundtrack that the server has.</summary>
        public string Soundtrack = "";

        /// <summary>Its version; 0: the newest.</summary>
        public int Version;

        /// <summary>State to begin in; empty: the soundtrack's initial one.</summary>
        public string InitialState = "";

        /// <summary>Seed of the music; null: drawn by the server.</summary>
        public long? Seed;

        /// <summary>Parameters' first values.</summary>
        public readonly Dictionary<string, double> Parameters = new Dictionary<string, double>();

        /// <summary>How far the server generates ahead, 100 to 10,000; 0: 300.</summary>
        public int LeadMs;

        /// <summary>How far a bad network may push it; 0: 2,000, or LeadMs if that is more; LeadMs: it is not pushed.</summary>
        public int MostLeadMs;

        /// <summary>Create it paused, to be started by Play.</summary>
        public bool Paused;

        /// <summary>Free labels for operators.</summary>
        public readonly Dictionary<string, string> Labels = new Dictionary<string, string>();

        /// <summary>S16 (1.54 Mbit/s) or QOA (355 kbit/s).</summary>
        public AudioEncoding Encoding = AudioEncoding.S16;

        /// <summary>Length of chunks, 40 to 1,000; 0: 80.</summary>
        public int ChunkMs;

        /// <summary>Whether beats and bars are told.</summary>
        public bool Clock = true;

        /// <summary>Keep what it takes to go on when the server is gone; some 5 kbit/s.</summary>
        public bool Resume = true;

        /// <summary>Samples that have to be there before they are played: two thirds of the lead, at most 200 ms.</summary>
        internal int Prime => System.Math.Min(9600, Lead * 48 * 2 / 3);

        /// <summary>LeadMs, or what it is if nothing was said.</summary>
        internal int Lead => LeadMs > 0 ? LeadMs : 300;

        /// <summary>MostLeadMs, or what it is if nothing was said.</summary>
        internal int MostLead => System.Math.Max(Lead, MostLeadMs > 0 ? MostLeadMs : 2000);

        /// <summary>Samples that may have to be there after the stream has run dry: the server sends no more than the lead.</summary>
        internal static int MostPrime(int leadMs) => leadMs * 48 * 4 / 5;

        /// <param name="state">State to begin in, if it is another one than was asked for; or empty.</param>
        /// <param name="values">Parameters that have another value by now; or null.</param>
        internal CreateSessionRequest Request(string requestId, string state, Dictionary<string, double> values)
        {
            var request = new CreateSessionRequest
            {
                SoundtrackId = Soundtrack,
                SoundtrackVersion = Version,
                InitialState = state.Length > 0 ? state : InitialState,
                Seed = Seed,
                TargetLeadMs = LeadMs,
                Paused = Paused,
                RequestId = requestId,
            };
            var first = new Dictionary<string, double>(Parameters);
            if (values != null) foreach (var pair in values) first[pair.Key] = pair.Value;
            foreach (var pair in first) request.Parameters.Add(new ParameterValue { Name = pair.Key, Value = pair.Value });
            foreach (var pair in Labels) request.Labels[pair.Key] = pair.Value;
            return request;
        }
    }
}
