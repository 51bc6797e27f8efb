// SPDX-License-Identifier: Apache-2.0
#if !UNITY_5_3_OR_NEWER
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.Net;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// A player without a game, for figures: `listen ADDRESS SOUNDTRACK SECONDS LEAD_MS STATE,STATE`. It goes from one state to
    /// the next every three seconds, IMMEDIATE (of a single one it stays in that), and prints one line of JSON. After these:
    /// `s16` or `qoa`, `baked=FOLDER` (of `segue bake`), `wav=FILE` and `log=FILE`, which are written (see Tape). A line "end"
    /// on standard input ends it early.
    /// </summary>
    public static class Listen
    {
        private const int Callback = 480;

        public static int Run(string[] words)
        {
            if (words.Length < 6)
            {
                Console.WriteLine("listen: expected ADDRESS SOUNDTRACK SECONDS LEAD_MS STATE[,STATE…] [s16|qoa] [baked=FOLDER] [wav=FILE] [log=FILE]");
                return 2;
            }
            double seconds = double.Parse(words[3], CultureInfo.InvariantCulture);
            var transport = new Timed(new HttpTransport(new Uri(words[1])));
            using (var client = new SegueClient(new Uri(words[1]), null, transport))
            using (var tape = new Tape(Word(words, "wav="), Word(words, "log=")))
            {
                var session = client.Create(new SessionOptions
                {
                    Soundtrack = words[2],
                    LeadMs = int.Parse(words[4], CultureInfo.InvariantCulture),
                    MostLeadMs = words.Contains("adapts") ? 0 : int.Parse(words[4], CultureInfo.InvariantCulture),
                    Encoding = words.Contains("qoa") ? AudioEncoding.Qoa : AudioEncoding.S16,
                });
                session.Fallback.Failed += error => Console.Error.WriteLine("fallback: " + error.Message);
                if (Word(words, "baked=") is string folder) session.Fallback.Use(new BakedFolder(new Files(folder)));
                var heard = new Heard();
                Play(session, seconds, words[5].Split(','), heard, tape);
                Print(session, transport, heard);
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

        private static string Word(string[] words, string begin) =>
            words.FirstOrDefault(word => word.StartsWith(begin, StringComparison.Ordinal))?.Substring(begin.Length);

        private static void Play(SoundtrackSession session, double seconds, string[] states, Heard heard, Tape tape)
        {
            var buffer = new float[2 * Callback];
            Task<ControlOutcome> control = null;
            double asked = 3.0;
            int turn = 0;
            bool isEnded = false;
            new Thread(() =>
            {
                for (string line; (line = Console.In.ReadLine()) != null;) if (line == "end") Volatile.Write(ref isEnded, true);
            }) { IsBackground = true }.Start();
            var watch = Stopwatch.StartNew();
            tape.Begin();
            session.Start();
            for (long played = 0; watch.Elapsed.TotalSeconds < seconds && !Volatile.Read(ref isEnded);)
            {
                double now = watch.Elapsed.TotalSeconds;
                if (played > now * SoundtrackMixer.SampleRate)
                {
                    Thread.Sleep(1);
                    continue;
                }
                long before = session.Mixer.Playhead;
                session.Mixer.Render(buffer, Callback, 2, SoundtrackMixer.SampleRate);
                heard.Callback(session.Mixer, before, now, now - played / (double)SoundtrackMixer.SampleRate);
                tape.Write(buffer, session, before);
                played += Callback;
                for (Event raised; (raised = session.NextEvent()) != null;) tape.Write(raised);
                if (states.Length < 2) continue;
                if (control == null && now >= asked + 3.0)
                {
                    asked = now;
                    control = session.SetStateAsync(states[++turn % states.Length], ExitSourceAt.Immediate);
                }
                else if (control != null && (control.IsFaulted || control.IsCanceled))
                {
                    heard.Failed++;
                    control = null;
                }
                else if (control != null && control.IsCompleted && session.Mixer.Playhead >= (control.Result.AudibleAtSample ?? 0))
                {
                    if (control.Result.AudibleAtSample.HasValue) heard.After.Add(1000 * (now - asked));
                    if (control.Result.Landing == Landing.Rewound) heard.Rewound++;
                    control = null;
                }
            }
            heard.Seconds = watch.Elapsed.TotalSeconds;
        }

        private static void Print(SoundtrackSession session, Timed transport, Heard heard)
        {
            var mixer = session.Mixer;
            var gaps = transport.Gaps();
            var reserves = heard.Reserves.Select(samples => samples / 48.0).ToList();
            var figures = new Dictionary<string, double>
            {
                ["seconds"] = heard.Seconds,
                ["first_audio_ms"] = 1000 * heard.First,
                ["heard_seconds"] = mixer.Playhead / (double)SoundtrackMixer.SampleRate,
                ["pieces"] = gaps.Count,
                ["piece_gap_ms_p50"] = At(gaps, 0.5),
                ["piece_gap_ms_p95"] = At(gaps, 0.95),
                ["piece_gap_ms_max"] = At(gaps, 1.0),
                ["reserve_ms_min"] = At(reserves, 0.0),
                ["reserve_ms_p50"] = At(reserves, 0.5),
                ["underruns"] = mixer.Underruns,
                ["gaps"] = session.Gaps,
                ["jumps"] = mixer.Jumps,
                ["late_takes"] = mixer.LateTakes,
                ["outdated_samples"] = mixer.Outdated,
                ["playhead_went_back"] = heard.Back,
                ["playhead_strayed"] = heard.Strayed,
                ["lead_ms"] = session.LeadMs,
                ["reconnects"] = session.Reconnects,
                ["resumes"] = session.Resumes,
                ["round_trip_ms"] = session.RoundTrip.TotalMilliseconds,
                ["changes_heard"] = heard.After.Count,
                ["changes_failed"] = heard.Failed,
                ["changes_rewound"] = heard.Rewound,
                ["heard_after_ms_p50"] = At(heard.After, 0.5),
                ["heard_after_ms_p95"] = At(heard.After, 0.95),
                ["heard_after_ms_max"] = At(heard.After, 1.0),
                ["callback_late_ms_max"] = heard.Late,
                ["cpu_percent"] = 100 * Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds / heard.Seconds,
                ["collections"] = GC.CollectionCount(0),
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

        /// <summary>What was noticed while it played.</summary>
        private sealed class Heard
        {
            public readonly List<double> After = new List<double>();
            public readonly List<int> Reserves = new List<int>();
            public double First = double.NaN;
            public double Seconds;
            public double Late;
            public int Failed;
            public int Rewound;
            public int Back;
            public int Strayed;
            private MixerMode _mode = MixerMode.Waiting;

            /// <param name="before">The playhead before it.</param>
            /// <param name="late">Seconds by which this program was held up.</param>
            public void Callback(SoundtrackMixer mixer, long before, double now, double late)
            {
                if (double.IsNaN(First) && mixer.Mode == MixerMode.Playing) First = now;
                if (!double.IsNaN(First) && now > First + 1.0 && mixer.Mode == MixerMode.Playing) Reserves.Add(mixer.Reserve);
                if (mixer.Playhead < before) Back++;
                // While the stream is away, the timeline stands still.
                if (_mode == MixerMode.Starved && mixer.Mode == MixerMode.Starved && mixer.Playhead != before) Strayed++;
                Late = Math.Max(Late, 1000 * late);
                _mode = mixer.Mode;
            }
        }

        /// <summary>A folder that `segue bake` wrote.</summary>
        private sealed class Files : IBakedFiles
        {
            private readonly string _folder;

            public Files(string folder) => _folder = folder;

            public byte[] Read(string path) => File.ReadAllBytes(Path.Combine(_folder, path));

            public short[] Decode(string path, byte[] file, out int rate)
            {
                rate = 0;
                return null;
            }
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
