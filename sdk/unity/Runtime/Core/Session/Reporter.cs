// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.Net;
using Segue.V1;

namespace Segue
{
    /// <summary>Tells the server what has been heard, which paces the session by it, and how long a message takes. One task.</summary>
    internal sealed class Reporter
    {
        private const int MostFailures = 2;
        /// <summary>Milliseconds without audio, the stream having run dry, after which another stream is begun.</summary>
        private const long Hungry = 3000;
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
        private readonly SoundtrackSession _session;
        private readonly GrpcWebChannel _channel;
        private readonly Func<Reception> _reception;
        private volatile int _every = 500;
        private volatile int _failures;
        private readonly LeadWish _wish;
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private int _underruns;
        private int _leadMs;
        private long _roundTrip;
        private long _fed;

        public Reporter(SoundtrackSession session, GrpcWebChannel channel, SessionOptions options, Func<Reception> reception)
        {
            _wish = new LeadWish(options.Lead, options.MostLead);
            _leadMs = options.Lead;
            _session = session;
            _channel = channel;
            _reception = reception;
        }

        /// <summary>Of the last report.</summary>
        public TimeSpan RoundTrip => TimeSpan.FromTicks(Interlocked.Read(ref _roundTrip));

        /// <summary>What the server keeps, as far as it has said.</summary>
        public int LeadMs => Volatile.Read(ref _leadMs);

        /// <summary>
        /// Called when neither reports have got through nor anything has come for a while: a connection may be dead without
        /// anybody telling.
        /// </summary>
        public Action CutOff { get; set; }

        /// <summary>Something has come, or a stream begins.</summary>
        public void Alive() => _failures = 0;

        /// <summary>Audio has come, or a stream begins.</summary>
        public void Fed() => Interlocked.Exchange(ref _fed, _clock.ElapsedMilliseconds);

        /// <summary>How often the server would like to be told.</summary>
        public void Every(int milliseconds)
        {
            if (milliseconds > 0) _every = Math.Max(50, Math.Min(60000, milliseconds));
        }

        public async Task RunAsync(CancellationToken stop)
        {
            try
            {
                while (true)
                {
                    await Task.Delay(_every, stop).ConfigureAwait(false);
                    var reception = _reception();
                    if (reception.ListenerId.Length == 0) continue;
                    long playhead = _session.Mixer.Playhead;
                    if (playhead < 0) playhead = Math.Max(0, reception.FirstSample);
                    await ReportAsync(reception.ListenerId, playhead, stop).ConfigureAwait(false);
                    // Reports may get through where the stream does not: they have a connection of their own.
                    if (_session.Mixer.Mode == MixerMode.Starved && _clock.ElapsedMilliseconds - Interlocked.Read(ref _fed) > Hungry) Cut();
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Nobody listens any more.
            }
        }

        /// <summary>The server keeps this lead now; 0: one that doesn't say.</summary>
        private void Keep(int leadMs)
        {
            if (leadMs <= 0 || leadMs == LeadMs) return;
            Volatile.Write(ref _leadMs, leadMs);
            _session.Mixer.MostPrime = SessionOptions.MostPrime(leadMs);
            _session.Mixer.Relearn();
        }

        private void Cut()
        {
            try
            {
                CutOff?.Invoke();
            }
            catch (ObjectDisposedException)
            {
                // The stream has ended meanwhile.
            }
        }

        private async Task ReportAsync(string listener, long playhead, CancellationToken stop)
        {
            var mixer = _session.Mixer;
            int underruns = mixer.Underruns, since = underruns - _underruns, lowest = mixer.TakeLowest();
            _wish.Observe(_clock.Elapsed.TotalSeconds, lowest == int.MaxValue ? lowest : lowest / 48, underruns, mixer.Take);
            var request = new ReportPlaybackRequest
            {
                SessionId = _session.Id,
                ListenerId = listener,
                PlayheadSample = playhead,
                Underruns = since,
                RoundTripMs = (int)Math.Min(600000.0, RoundTrip.TotalMilliseconds),
                TargetLeadMs = _wish.HasChanged ? _wish.Milliseconds : 0,
            };
            var watch = Stopwatch.StartNew();
            try
            {
                var answer = await _channel.CallAsync(
                    "ReportPlayback", request, new ReportPlaybackResponse(), _session.Token, stop, Patience).ConfigureAwait(false);
                Interlocked.Exchange(ref _roundTrip, watch.Elapsed.Ticks);
                _underruns = underruns;
                _failures = 0;
                Every(answer.ReportEveryMs);
                Keep(answer.TargetLeadMs);
            }
            catch (SegueException error)
            {
                // The stream finds out by itself what is the matter, if it is not deaf.
                if (error.Code != StatusCode.Unavailable && error.Code != StatusCode.DeadlineExceeded) return;
                if (++_failures >= MostFailures) Cut();
            }
        }
    }
}
