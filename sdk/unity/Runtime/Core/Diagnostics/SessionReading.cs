// SPDX-License-Identifier: Apache-2.0
using Segue.Audio;

namespace Segue
{
    /// <summary>How a session stands at one moment.</summary>
    public struct SessionReading
    {
        /// <summary>Seconds of the clock that the reader uses.</summary>
        public double Time;

        /// <summary>Milliseconds of audio that are there to be played.</summary>
        public float BufferMs;

        /// <summary>Milliseconds of the last report's round trip; 0 before there was one.</summary>
        public float RoundTripMs;

        /// <summary>How much faster or slower than it was made the music plays, to hold its lead: millionths.</summary>
        public float RatePpm;

        /// <summary>How much the music is like its prompts, 0 to 1; NaN before the server has said so.</summary>
        public float Adherence;

        /// <summary>Times that the stream ran dry.</summary>
        public int Underruns;

        /// <summary>Takes that came after their place had been played.</summary>
        public int LateTakes;

        /// <summary>How the session stands with its server.</summary>
        public ConnectionState Connection;

        /// <summary>The state that the music is in; empty before it is known.</summary>
        public string MusicState;

        /// <summary>A session's reading; its adherence comes with events, and is NaN here. Any thread.</summary>
        public static SessionReading Of(SoundtrackSession session, double time)
        {
            var mixer = session.Mixer;
            return new SessionReading
            {
                Time = time,
                BufferMs = mixer.Reserve * 1000f / SoundtrackMixer.SampleRate,
                RoundTripMs = (float)session.RoundTrip.TotalMilliseconds,
                // The mixer's rate is a whole: 1,000,000 is as it was made; 0 before anything was played.
                RatePpm = mixer.RatePerMillion == 0 ? 0 : mixer.RatePerMillion - 1000000,
                Adherence = float.NaN,
                Underruns = mixer.Underruns,
                LateTakes = mixer.LateTakes,
                Connection = session.State,
                MusicState = session.MusicState,
            };
        }
    }
}
