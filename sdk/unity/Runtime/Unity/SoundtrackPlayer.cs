// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.V1;
using UnityEngine;

namespace Segue
{
    /// <summary>
    /// Plays a live soundtrack through the AudioSource beside it. Methods and events are the main thread's. Settings hold from
    /// the next Play on, if they don't say otherwise.
    /// </summary>
    [AddComponentMenu("Audio/Segue Soundtrack Player")]
    [RequireComponent(typeof(AudioSource))]
    [DisallowMultipleComponent]
    public sealed partial class SoundtrackPlayer : MonoBehaviour
    {
        [SerializeField] private SegueConnectionSettings connection;
        [Tooltip("What `segue build` wrote of the soundtrack: names are checked against it before they are sent. Optional.")]
        [SerializeField] private SoundtrackAsset asset;
        [Tooltip("Id of a soundtrack that the server has; the asset's, where there is one.")]
        [SerializeField] private string soundtrack = "";
        [Tooltip("State to begin in; empty: the soundtrack's own.")]
        [SerializeField] private string initialState = "";
        [Tooltip("The same seed makes the same music of the same game; 0: the server draws one.")]
        [SerializeField] private long seed;
        [SerializeField] private bool playOnEnable = true;
        [Tooltip("Milliseconds that are generated ahead: more for bad networks. What is buffered is replaced when a change wants to be heard.")]
        [Range(100, 10000)]
        [SerializeField] private int leadMs = 300;
        [Tooltip("How far a bad network may push it; 0: 2,000, or the lead if that is more.")]
        [Range(0, 10000)]
        [SerializeField] private int mostLeadMs;
        [Tooltip("355 kbit/s instead of 1.54 Mbit/s.")]
        [SerializeField] private bool compressed = true;
        [Range(0f, 1f)]
        [SerializeField] private float volume = 1f;
        [Tooltip("Folder below StreamingAssets that `segue bake` wrote; empty: silence where the network fails.")]
        [SerializeField] private string bakedFolder = "";

        private readonly ParameterBoard _parameters = new ParameterBoard();
        private volatile SoundtrackSession _session;
        private SegueClient _client;
        private Func<SegueClient, SoundtrackSession> _later;
        private bool _pausedByGame;

        /// <summary>Where the server is.</summary>
        public SegueConnectionSettings Connection { get => connection; set => connection = value; }

        /// <summary>What `segue build` wrote of the soundtrack; with it, wrong names are logged before they are sent. May be null.</summary>
        public SoundtrackAsset Asset { get => asset; set => asset = value; }

        /// <summary>Id of the soundtrack; the asset's, where there is one.</summary>
        public string Soundtrack
        {
            get => Outline?.Id ?? soundtrack;
            set => soundtrack = value ?? "";
        }

        /// <summary>State to begin in; empty: the soundtrack's own.</summary>
        public string InitialState { get => initialState; set => initialState = value ?? ""; }

        /// <summary>Seed of the music; null (or 0): the server draws one.</summary>
        public long? Seed { get => seed == 0 ? (long?)null : seed; set => seed = value ?? 0; }

        /// <summary>Milliseconds that are generated ahead, 100 to 10,000.</summary>
        public int LeadMs { get => leadMs; set => leadMs = Mathf.Clamp(value, 100, 10000); }

        /// <summary>How far a bad network may push it, up to 10,000; 0: 2,000, or LeadMs if that is more.</summary>
        public int MostLeadMs { get => mostLeadMs; set => mostLeadMs = Mathf.Clamp(value, 0, 10000); }

        /// <summary>QOA (355 kbit/s) rather than S16 (1.54 Mbit/s).</summary>
        public bool Compressed { get => compressed; set => compressed = value; }

        /// <summary>Whether it plays by itself when it is enabled, if it has a soundtrack by then.</summary>
        public bool PlayOnEnable { get => playOnEnable; set => playOnEnable = value; }

        /// <summary>Loudness, 0 to 1; holds at once.</summary>
        public float Volume
        {
            get => volume;
            set
            {
                volume = Mathf.Clamp01(value);
                if (_session != null) _session.Mixer.Volume = volume;
            }
        }

        /// <summary>The session that is heard; null while nothing is played.</summary>
        public SoundtrackSession Session => _session;

        /// <summary>How the player stands with its server; Idle while nothing is played.</summary>
        public ConnectionState State => _session?.State ?? ConnectionState.Idle;

        /// <summary>The state that the music is in, or came to, when last heard of; empty while nothing is played.</summary>
        public string MusicState => _session?.MusicState ?? "";

        /// <summary>First sample of the timeline that has not been heard; −1 before there is any.</summary>
        public long Heard => _session?.Heard ?? -1;

        /// <summary>A parameter's number, for <see cref="SetParameter(int, float)"/>. Any thread.</summary>
        public static int ParameterId(string parameter) => ParameterBoard.Id(parameter);

        /// <summary>Begin a session of one's own; while the component is disabled: as soon as it is not.</summary>
        public void Play() => Begin(Create);

        /// <summary>Join a session that the game's backend has created and whose token it handed out.</summary>
        public void Attach(string sessionId, string sessionToken) => Begin(client =>
        {
            _parameters.Renew();
            return client.Attach(sessionId, sessionToken, Options());
        });

        /// <summary>Go on, in a session of one's own, from what <see cref="SoundtrackSession.Save"/> gave. Throws ArgumentException if it is not that.</summary>
        public void Resume(byte[] saved) => Begin(client =>
        {
            _parameters.Renew();
            return client.Resume(saved, Options());
        });

        /// <summary>Stop generating, or go on.</summary>
        public void SetPaused(bool paused)
        {
            if (_session == null) return;
            _pausedByGame = paused;
            SteerPaused(paused);
        }

        /// <summary>Let go of the session. One of our own is freed.</summary>
        public void Stop()
        {
            _later = null;
            var session = _session;
            if (session == null) return;
            _session = null;
            // At the end of a scene it may be gone before.
            if (_source != null) _source.Stop();
            Departures.Begin(session, _client);
            _client = null;
        }

        /// <summary>Tell what happened in the game.</summary>
        public void PostEvent(string name)
        {
            var outline = Outline;
            if (outline != null && !outline.HasEvent(name)) Warn(NearMisses.Unknown("event", name, outline.Events));
            Steer(session => session.PostEventAsync(name));
        }

        /// <summary>Go to a state.</summary>
        public void SetState(string state)
        {
            CheckState(state);
            Steer(session => session.SetStateAsync(state));
        }

        /// <summary>Play a stinger.</summary>
        public void PostTrigger(string stinger)
        {
            var outline = Outline;
            if (outline != null && !outline.HasStinger(stinger)) Warn(NearMisses.Unknown("stinger", stinger, outline.Stingers));
            Steer(session => session.PostTriggerAsync(stinger));
        }

        /// <summary>
        /// Set a parameter, every frame if need be: it is sent when it has changed, at most every 50 ms, and before any other control.
        /// The last values hold for the next session, too.
        /// </summary>
        public void SetParameter(string parameter, float value) => SetParameter(ParameterBoard.Id(parameter), value);

        /// <summary>The same, by the number that <see cref="ParameterId"/> gave.</summary>
        public void SetParameter(int id, float value)
        {
            if (!_parameters.Has(id)) CheckParameter(id);
            _parameters.Set(id, value);
        }

        private SoundtrackSession Create(SegueClient client)
        {
            if (Soundtrack.Length == 0)
            {
                Complain("the SoundtrackPlayer has no soundtrack: expected an asset, or the id of one that the server has.");
                return null;
            }
            var options = Options();
            options.Soundtrack = Soundtrack;
            options.InitialState = initialState;
            options.Seed = Seed;
            foreach (var pair in _parameters.TakeAll()) options.Parameters[pair.Key] = pair.Value;
            if (initialState.Length > 0) CheckState(initialState);
            return client.Create(options);
        }

        private SessionOptions Options() => new SessionOptions
        {
            LeadMs = leadMs,
            MostLeadMs = mostLeadMs,
            Encoding = compressed ? AudioEncoding.Qoa : AudioEncoding.S16,
        };

        private void Begin(Func<SegueClient, SoundtrackSession> make)
        {
#if UNITY_WEBGL && !UNITY_EDITOR
            // There are no threads either: what is given to Task.Run or a timer never runs, so that nothing of it may be begun.
#warning Segue has no WebGL path yet: SoundtrackPlayer will say so and stay silent.
            Debug.LogError("Segue: WebGL has neither sockets nor an audio callback; there is no music in this build.", this);
#else
            if (_session != null)
            {
                if (_session.State != ConnectionState.Failed && _session.State != ConnectionState.Stopped) return;
                Stop();
            }
            if (!_isOn)
            {
                _later = make;
                return;
            }
            if (connection == null) Complain("the SoundtrackPlayer has no connection settings (Create → Segue → Connection Settings).");
            else Open(make);
#endif
        }

        private void Open(Func<SegueClient, SoundtrackSession> make)
        {
            SegueClient client = null;
            SoundtrackSession session = null;
            try
            {
                client = new SegueClient(connection.Address);
                Forget();
                session = make(client);
            }
            catch (UriFormatException error)
            {
                Complain(error.Message);
            }
            finally
            {
                if (session == null) client?.Dispose();
            }
            if (session == null) return;
            _client = client;
            session.OutputLatency = Latency();
            session.Mixer.Volume = volume;
            session.Warned += warning => Warn(warning.Message);
            session.Fallback.Failed += FallbackFailed;
            _session = session;
            UseBaked();
            session.Start();
            _source.Play();
        }

        private void Complain(string why) => Debug.LogError("Segue: " + why, this);
    }
}
