// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.V1;
using UnityEngine;

namespace Segue
{
    /// <summary>Plays a live soundtrack through the AudioSource beside it. Methods and events are the main thread's.</summary>
    [AddComponentMenu("Audio/Segue Soundtrack Player")]
    [RequireComponent(typeof(AudioSource))]
    [DisallowMultipleComponent]
    public sealed partial class SoundtrackPlayer : MonoBehaviour
    {
        private const float ParametersEvery = 0.05f;

        [SerializeField] private SegueConnectionSettings connection;
        [Tooltip("Id of a soundtrack that the server has.")]
        [SerializeField] private string soundtrack = "";
        [Tooltip("State to begin in; empty: the soundtrack's own.")]
        [SerializeField] private string initialState = "";
        [SerializeField] private bool playOnEnable = true;
        [Tooltip("Milliseconds that are generated ahead: more for bad networks. What is buffered is replaced when a change wants to be heard.")]
        [Range(100, 10000)]
        [SerializeField] private int leadMs = 300;
        [Tooltip("355 kbit/s instead of 1.54 Mbit/s.")]
        [SerializeField] private bool compressed = true;
        [Tooltip("Folder below StreamingAssets that `segue bake --format wav` wrote; empty: silence where the network fails.")]
        [SerializeField] private string bakedFolder = "";

        private readonly ParameterBoard _parameters = new ParameterBoard();
        private volatile SoundtrackSession _session;
        private volatile int _sampleRate = 48000;
        private SegueClient _client;
        private AudioSource _source;
        private ControlLine _controls = new ControlLine();
        private Task _sending = Task.CompletedTask;
        private float _sentAt;
        private bool _pausedByApplication;

        /// <summary>The session that is heard; null while nothing is played.</summary>
        public SoundtrackSession Session => _session;

        /// <summary>Files of `segue bake` other than a folder below StreamingAssets; set it before Play.</summary>
        public IBakedFiles Baked { get; set; }

        /// <summary>A parameter's number, for <see cref="SetParameter(int, float)"/>.</summary>
        public static int ParameterId(string parameter) => ParameterBoard.Id(parameter);

        /// <summary>Begin a session of one's own.</summary>
        public void Play()
        {
            if (_session != null) return;
            var options = Options();
            options.Soundtrack = soundtrack;
            options.InitialState = initialState;
            foreach (var pair in _parameters.Take()) options.Parameters[pair.Key] = pair.Value;
            Begin(client => client.Create(options));
        }

        /// <summary>Join a session that the game's backend has created and whose token it handed out.</summary>
        public void Attach(string sessionId, string sessionToken)
        {
            if (_session == null) Begin(client => client.Attach(sessionId, sessionToken, Options()));
        }

        /// <summary>Go on, in a session of one's own, from what <see cref="SoundtrackSession.Save"/> gave.</summary>
        public void Resume(byte[] saved)
        {
            if (_session == null) Begin(client => client.Resume(saved, Options()));
        }

        /// <summary>Stop generating, or go on.</summary>
        public void SetPaused(bool paused)
        {
            Steer(session => paused ? session.PauseAsync() : session.PlayAsync());
        }

        /// <summary>Let go of the session. One of our own is freed.</summary>
        public void Stop()
        {
            var session = _session;
            if (session == null) return;
            _session = null;
            _controls = new ControlLine();
            _pausedByApplication = false;
            _source.Stop();
            Finish(session, _client);
            _client = null;
        }

        /// <summary>Tell what happened in the game.</summary>
        public void PostEvent(string name) => Steer(session => session.PostEventAsync(name));

        /// <summary>Go to a state.</summary>
        public void SetState(string state) => Steer(session => session.SetStateAsync(state));

        /// <summary>Play a stinger.</summary>
        public void PostTrigger(string stinger) => Steer(session => session.PostTriggerAsync(stinger));

        /// <summary>Set a parameter, every frame if need be: it is sent when it has changed, at most every 50 ms.</summary>
        public void SetParameter(string parameter, float value) => _parameters.Set(ParameterBoard.Id(parameter), value);

        /// <summary>The same, by the number that <see cref="ParameterId"/> gave.</summary>
        public void SetParameter(int id, float value) => _parameters.Set(id, value);

        private void Awake() => _source = GetComponent<AudioSource>();

        private void OnEnable()
        {
            AudioSettings.OnAudioConfigurationChanged += DeviceChanged;
            DeviceChanged(false);
            if (playOnEnable && soundtrack.Length > 0) Play();
        }

        private void OnDisable()
        {
            AudioSettings.OnAudioConfigurationChanged -= DeviceChanged;
            Stop();
        }

        private void OnApplicationPause(bool paused)
        {
            // Unity tells at the start, too, that there is no pause; and others may be listening to an attached session.
            if (paused == _pausedByApplication || _session == null || !_session.IsOurs) return;
            _pausedByApplication = paused;
            SetPaused(paused);
        }

        private void Update()
        {
            var session = _session;
            if (session == null) return;
            Raise(session);
            if (!_parameters.HasNews || !_sending.IsCompleted || Time.realtimeSinceStartup - _sentAt < ParametersEvery) return;
            _sentAt = Time.realtimeSinceStartup;
            var news = _parameters.Take();
            _sending = Tell(() => session.SetParametersAsync(news));
        }

        /// <summary>On the audio thread.</summary>
        private void OnAudioFilterRead(float[] data, int channels)
        {
            var session = _session;
            if (session != null) session.Mixer.Render(data, data.Length / channels, channels, _sampleRate);
        }

        private void DeviceChanged(bool deviceWasChanged)
        {
            _sampleRate = AudioSettings.outputSampleRate;
            if (_session == null) return;
            _session.OutputLatency = Latency();
            // A change of the device stops every source.
            if (!_source.isPlaying) _source.Play();
        }

        private SessionOptions Options() => new SessionOptions
        {
            LeadMs = leadMs,
            Encoding = compressed ? AudioEncoding.Qoa : AudioEncoding.S16,
        };

        private void Begin(Func<SegueClient, SoundtrackSession> make)
        {
#if UNITY_WEBGL && !UNITY_EDITOR
#warning Segue has no WebGL path yet: SoundtrackPlayer will say so and stay silent.
            Debug.LogError("Segue: WebGL has neither sockets nor an audio callback; there is no music in this build.", this);
#else
            if (connection == null)
            {
                Debug.LogError("Segue: the SoundtrackPlayer has no connection settings (Create → Segue → Connection Settings).", this);
                return;
            }
            _client = new SegueClient(connection.Address);
            var session = make(_client);
            session.OutputLatency = Latency();
            session.Warned += warning => Debug.LogWarning("Segue: " + warning.Message, this);
            session.Fallback.Failed += error => Debug.LogWarning("Segue: " + error.Message, this);
            UseBaked(session);
            session.Start();
            Forget();
            _session = session;
            _source.Play();
#endif
        }

        private void UseBaked(SoundtrackSession session)
        {
            try
            {
                var files = Baked ?? (bakedFolder.Length > 0 ? new BakedFiles(bakedFolder) : null);
                if (files != null) session.Fallback.Use(new BakedFolder(files), initialState);
            }
            catch (Exception error) when (error is IOException || error is Wire.MalformedException)
            {
                Debug.LogWarning("Segue: no fallback for when the network fails. " + error.Message, this);
            }
        }

        private static int Latency()
        {
            AudioSettings.GetDSPBufferSize(out int length, out int count);
            return (int)((long)length * count * SoundtrackMixer.SampleRate / AudioSettings.outputSampleRate);
        }

        private void Steer(Func<SoundtrackSession, Task> control)
        {
            var session = _session;
            if (session != null) Tell(() => control(session));
        }

        /// <summary>Log what goes wrong; a game's call is never blocked by it.</summary>
        private Task Tell(Func<Task> control) => _controls.Send(control).ContinueWith(
            done =>
            {
                if (done.Exception != null) Debug.LogWarning("Segue: " + done.Exception.GetBaseException().Message, this);
            },
            TaskScheduler.Default);

        private static void Finish(SoundtrackSession session, SegueClient client)
        {
            bool isOurs = session.IsOurs;
            Task.Run(async () =>
            {
                try
                {
                    if (isOurs) await session.CloseAsync().ConfigureAwait(false);
                }
                catch (SegueException)
                {
                    // The server frees it by itself, when nobody has listened for its grace period.
                }
                finally
                {
                    session.Dispose();
                    client.Dispose();
                }
            });
        }
    }
}
