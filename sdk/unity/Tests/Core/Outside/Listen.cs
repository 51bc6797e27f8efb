// SPDX-License-Identifier: Apache-2.0
#if !UNITY_5_3_OR_NEWER
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.Net;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// A player without a game, for figures: `listen ADDRESS SOUNDTRACK SECONDS LEAD_MS STATE,STATE [ENCODING]`. It goes from
    /// one state to the next every three seconds, IMMEDIATE, and prints one line of JSON.
    /// </summary>
    public static class Listen
    {
        private const int Callback = 480;

        public static int Run(string[] words)
        {
            if (words.Length < 6)
            {
                Console.WriteLine("listen: expected ADDRESS SOUNDTRACK SECONDS LEAD_MS STATE,STATE [s16|qoa]");
                return 2;
            }
            double seconds = double.Parse(words[3], CultureInfo.InvariantCulture);
            var transport = new Timed(new HttpTransport(new Uri(words[1])));
            using (var client = new SegueClient(new Uri(words[1]), null, transport))
            {
                var session = client.Create(new SessionOptions
                {
                    Soundtrack = words[2],
                    LeadMs = int.Parse(words[4], CultureInfo.InvariantCulture),
                    Encoding = words.Length > 6 && words[6] == "qoa" ? AudioEncoding.Qoa : AudioEncoding.S16,
                });
                var heard = Play(session, seconds, words[5].Split(','), out double first, out List<int> reserves);
                Print(session, transport, seconds, first, reserves, heard);
                try
                {
                    session.CloseAsync().GetAwaiter().GetResult();
                }
                catch (SegueException error)
                {
                    Console.WriteLine("closing: " + error.Message);
                }
                return session.Mixer.Playhead > 0 ? 0 : 1;
            }
        }

        private static List<double> Play(SoundtrackSession session, double seconds, string[] states, out double first, out List<int> reserves)
        {
            var buffer = new float[2 * Callback];
            var heard = new List<double>();
            reserves = new List<int>();
            first = double.NaN;
            Task<ControlOutcome> control = null;
            double asked = 3.0;
            int turn = 0;
            var watch = Stopwatch.StartNew();
            session.Start();
            for (long played = 0; watch.Elapsed.TotalSeconds < seconds;)
            {
                double now = watch.Elapsed.TotalSeconds;
                if (played > now * SoundtrackMixer.SampleRate)
                {
                    Thread.Sleep(1);
                    continue;
                }
                session.Mixer.Render(buffer, Callback, 2, SoundtrackMixer.SampleRate);
                played += Callback;
                if (double.IsNaN(first) && session.Mixer.Mode == MixerMode.Playing) first = now;
                if (!double.IsNaN(first) && now > first + 1.0) reserves.Add(session.Mixer.Reserve);
                while (session.NextEvent() != null) { }
                if (control == null && now >= asked + 3.0)
                {
                    asked = now;
                    control = session.SetStateAsync(states[++turn % states.Length], ExitSourceAt.Immediate);
                }
                else if (control != null && control.IsFaulted) control = null;
                else if (control != null && control.IsCompleted && session.Mixer.Playhead >= (control.Result.AudibleAtSample ?? 0))
                {
                    if (control.Result.AudibleAtSample.HasValue) heard.Add(1000 * (now - asked));
                    control = null;
                }
            }
            return heard;
        }

        private static void Print(
            SoundtrackSession session, Timed transport, double seconds, double first, List<int> reserves, List<double> heard)
        {
            var mixer = session.Mixer;
            var gaps = transport.Gaps();
            var figures = new Dictionary<string, double>
            {
                ["seconds"] = seconds,
                ["first_audio_ms"] = 1000 * first,
                ["heard_seconds"] = mixer.Playhead / (double)SoundtrackMixer.SampleRate,
                ["pieces"] = gaps.Count,
                ["piece_gap_ms_p50"] = At(gaps, 0.5),
                ["piece_gap_ms_p95"] = At(gaps, 0.95),
                ["piece_gap_ms_max"] = At(gaps, 1.0),
                ["reserve_ms_min"] = At(reserves.Select(samples => samples / 48.0), 0.0),
                ["reserve_ms_p50"] = At(reserves.Select(samples => samples / 48.0), 0.5),
                ["underruns"] = mixer.Underruns,
                ["gaps"] = session.Gaps,
                ["jumps"] = mixer.Jumps,
                ["late_takes"] = mixer.LateTakes,
                ["outdated_samples"] = mixer.Outdated,
                ["reconnects"] = session.Reconnects,
                ["resumes"] = session.Resumes,
                ["round_trip_ms"] = session.RoundTrip.TotalMilliseconds,
                ["changes_heard"] = heard.Count,
                ["heard_after_ms_p50"] = At(heard, 0.5),
                ["heard_after_ms_p95"] = At(heard, 0.95),
                ["heard_after_ms_max"] = At(heard, 1.0),
            };
            Console.WriteLine("{" + string.Join(", ", figures.Select(pair =>
                "\"" + pair.Key + "\": " + (double.IsNaN(pair.Value) ? "null" : Math.Round(pair.Value, 1).ToString(CultureInfo.InvariantCulture)))) + "}");
            if (session.Error != null) Console.WriteLine("error: " + session.Error.Message);
        }

        private static double At(IEnumerable<double> values, double part)
        {
            var sorted = values.OrderBy(value => value).ToList();
            return sorted.Count == 0 ? double.NaN : sorted[(int)Math.Round(part * (sorted.Count - 1))];
        }

        /// <summary>Notes when pieces of audio arrive.</summary>
        private sealed class Timed : ITransport
        {
            private readonly ITransport _transport;
            private readonly List<double> _arrivals = new List<double>();
            private readonly Stopwatch _watch = Stopwatch.StartNew();

            public Timed(ITransport transport) => _transport = transport;

            /// <summary>Milliseconds between pieces, without the first second.</summary>
            public List<double> Gaps()
            {
                lock (_arrivals)
                {
                    var late = _arrivals.Where(at => at > _arrivals[0] + 1000).ToList();
                    return late.Skip(1).Zip(late, (at, before) => at - before).ToList();
                }
            }

            public async Task<ITransportResponse> PostAsync(
                string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop)
            {
                var response = await _transport.PostAsync(path, body, headers, stop).ConfigureAwait(false);
                return path.EndsWith("/StreamAudio", StringComparison.Ordinal) ? new Response(response, this) : response;
            }

            public void Dispose() => _transport.Dispose();

            private sealed class Response : ITransportResponse
            {
                private readonly ITransportResponse _response;
                private readonly Timed _timed;

                public Response(ITransportResponse response, Timed timed)
                {
                    _response = response;
                    _timed = timed;
                }

                public int Status => _response.Status;

                public string Header(string name) => _response.Header(name);

                public async Task<int> ReadAsync(byte[] buffer, CancellationToken stop)
                {
                    int count = await _response.ReadAsync(buffer, stop).ConfigureAwait(false);
                    // A message's own bytes come in several pieces at once: those are one arrival.
                    double now = _timed._watch.Elapsed.TotalMilliseconds;
                    lock (_timed._arrivals)
                        if (_timed._arrivals.Count == 0 || now - _timed._arrivals[_timed._arrivals.Count - 1] > 2.0) _timed._arrivals.Add(now);
                    return count;
                }

                public void Dispose() => _response.Dispose();
            }
        }
    }
}
#endif
