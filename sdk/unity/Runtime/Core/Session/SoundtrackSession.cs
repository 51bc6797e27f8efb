// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue
{
    /// <summary>
    /// One soundtrack: listens, steers, comes back by itself. Any thread; <see cref="Mixer"/> is what the audio callback
    /// renders, <see cref="NextEvent"/> what the game's loop polls. Dispose of it to let go; the server keeps the session for
    /// its grace period, unless it is closed.
    /// </summary>
    public sealed partial class SoundtrackSession : IDisposable
    {
        private readonly CancellationTokenSource _stop = new CancellationTokenSource();
        private readonly TaskCompletionSource<bool> _created =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly GrpcWebChannel _channel;
        private readonly SessionOptions _options;
        private readonly string _clientToken;
        private readonly EventQueue _events = new EventQueue();
        private readonly Dictionary<string, double> _values = new Dictionary<string, double>();
        private readonly Listening _listening;
        private int _started;

        internal SoundtrackSession(
            SegueClient client, SessionOptions options, string clientToken, string id, string token, ResumeRequest saved)
        {
            _channel = client.Channel;
            _options = options;
            _clientToken = clientToken;
            Id = id;
            Token = token;
            IsOurs = id == null;
            Mixer = new SoundtrackMixer(Math.Max(15.0, options.MostLead / 1000.0 + 5.0)) { Prime = options.Prime, MostPrime = SessionOptions.MostPrime(options.Lead) };
            Fallback = new Fallback(Mixer);
            _listening = new Listening(this, _channel, options, saved);
            if (id != null) _created.SetResult(true);
            _created.Task.ContinueWith(failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted);
        }

        /// <summary>Names the session; null until it has been created.</summary>
        public string Id { get; private set; }

        /// <summary>Opens this session; hand it to whoever shall listen to it or steer it, and to nobody else.</summary>
        public string Token { get; private set; }

        /// <summary>Whether it was begun here, rather than attached to.</summary>
        public bool IsOurs { get; }

        /// <summary>What the audio callback renders.</summary>
        public SoundtrackMixer Mixer { get; }

        /// <summary>Baked loops and clips, for when the network is gone.</summary>
        public Fallback Fallback { get; }

        /// <summary>How the session stands with its server.</summary>
        public ConnectionState State
        {
            get
            {
                var state = _listening.State;
                return state == ConnectionState.Playing && Mixer.Mode == MixerMode.Starved ? ConnectionState.Starved : state;
            }
        }

        /// <summary>Why the session failed; null if it did not.</summary>
        public SegueException Error => _listening.Error;

        /// <summary>The state that the music was in, or came to, when last heard of.</summary>
        public string MusicState => Fallback.State;

        /// <summary>Times that the stream was taken up again.</summary>
        public int Reconnects => _listening.Reconnects;

        /// <summary>Times that the session was brought back by its resume point.</summary>
        public int Resumes => _listening.Resumes;

        /// <summary>Times that samples were missed for good.</summary>
        public int Gaps => _listening.Gaps;

        /// <summary>How far the server generates ahead, in milliseconds, as far as it is known.</summary>
        public int LeadMs => _listening.LeadMs;

        /// <summary>Round trip of the last report; zero before there was one.</summary>
        public TimeSpan RoundTrip => _listening.RoundTrip;

        /// <summary>Samples between what is taken out to be played and what is heard: the device's latency.</summary>
        public int OutputLatency { get; set; }

        /// <summary>First sample of the timeline that has not been heard; −1 before there is any.</summary>
        public long Heard
        {
            get
            {
                long playhead = Mixer.Playhead;
                return playhead < 0 ? -1 : Math.Max(0, playhead - OutputLatency - Resampler.Delay);
            }
        }

        /// <summary>Warnings of the server, on a worker thread.</summary>
        public event Action<Warning> Warned;

        /// <summary>Begin to connect and to listen. Once.</summary>
        public void Start()
        {
            if (Interlocked.Exchange(ref _started, 1) != 0) return;
            Task.Run(() => _listening.RunAsync(_stop.Token));
        }

        /// <summary>The next event that has been heard by now; null if there is none.</summary>
        public Event NextEvent() => _events.Next(Heard);

        /// <summary>What <see cref="SegueClient.Resume"/> can go on from, some 13 KB for a save file. Throws InvalidOperationException.</summary>
        public byte[] Save()
        {
            var reception = _listening.Reception;
            long? end = reception.NextSample;
            if (reception.Keeper == null || !end.HasValue) throw new InvalidOperationException("there is nothing to save yet: nothing was heard");
            long heard = Heard;
            return ProtoWriter.Serialise(reception.Keeper.Resume(heard < 0 ? end.Value : Math.Min(heard, end.Value)));
        }

        /// <summary>Let go. The session lives on for the server's grace period.</summary>
        public void Dispose()
        {
            _stop.Cancel();
            _created.TrySetCanceled();
            Mixer.WantsFallback = false;
            Mixer.End = Math.Max(0, Mixer.Playhead);
        }

        /// <summary>Free the session on the server, one that is being created too, and let go.</summary>
        public async Task CloseAsync()
        {
            try
            {
                if (Id == null && State == ConnectionState.Connecting) await CreatedAsync().ConfigureAwait(false);
                string id = Id;
                if (id != null) await _channel.CallAsync(
                    "CloseSession", new CloseSessionRequest { SessionId = id }, new CloseSessionResponse(), Token, CancellationToken.None).ConfigureAwait(false);
            }
            catch (SegueException error) when (error.Code == StatusCode.NotFound)
            {
                // It is gone already.
            }
            finally
            {
                Dispose();
            }
        }

        internal string ClientToken => _clientToken;

        internal void Opened(string id, string token)
        {
            Id = id;
            Token = token;
            _created.TrySetResult(true);
        }

        internal void Failed(SegueException error) => _created.TrySetException(error);

        internal void Warn(Warning warning) => Warned?.Invoke(warning);

        /// <summary>An event of the stream has arrived.</summary>
        internal void Arrived(Event arrived)
        {
            _events.Add(arrived);
            switch (arrived.WhichDetail)
            {
                case Event.DetailCase.Rewound:
                    Mixer.Clips.Void(arrived.Sample);
                    break;
                case Event.DetailCase.StingerStarted when arrived.StingerStarted.Clip.Length > 0:
                    var started = arrived.StingerStarted;
                    var clip = Fallback.Clip(started.Name, started.Clip);
                    if (clip != null) Mixer.Clips.Add(clip, arrived.Sample, (float)Math.Pow(10.0, started.GainDb / 20.0));
                    break;
                case Event.DetailCase.StateChanged:
                    Fallback.Enter(arrived.StateChanged.ToState);
                    break;
                case Event.DetailCase.StatusChanged:
                    Mixer.End = Stands(arrived.StatusChanged.Status) ? arrived.Sample : long.MaxValue;
                    break;
            }
        }

        /// <summary>Whether nothing is generated in a status.</summary>
        internal static bool Stands(SessionStatus status) =>
            status == SessionStatus.Paused || status == SessionStatus.Stopped || status == SessionStatus.Suspended;

        /// <summary>The parameters that the game has set since it was created, by name.</summary>
        internal Dictionary<string, double> Values()
        {
            lock (_values) return new Dictionary<string, double>(_values);
        }

        /// <summary>Another timeline begins.</summary>
        internal void Restarted()
        {
            _events.Clear();
            Mixer.Clips.Void(0);
            Mixer.End = long.MaxValue;
        }
    }
}
