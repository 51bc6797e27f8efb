// SPDX-License-Identifier: Apache-2.0
using Segue.Audio;
using UnityEngine;

namespace Segue
{
    /// <summary>What Unity calls of the player.</summary>
    public sealed partial class SoundtrackPlayer
    {
        private volatile int _sampleRate = 48000;
        private AudioSource _source;
        private bool _isOn;
        private bool _pausedByApplication;

        private void OnEnable()
        {
            _isOn = true;
            _source = GetComponent<AudioSource>();
            // A source plays the callback's audio for as long as it was told to; a clip that somebody has put on it is not to end that.
            _source.loop = true;
            AudioSettings.OnAudioConfigurationChanged += DeviceChanged;
            DeviceChanged(false);
            LoadBaked();
            var later = _later;
            _later = null;
            if (later != null) Begin(later);
            // AddComponent enables at once: whoever makes a player by code sets it up afterwards, and calls Play.
            else if (playOnEnable && (asset != null || soundtrack.Length > 0)) Play();
        }

        /// <summary>Also at the end of play mode, and before a domain reload: nothing here waits.</summary>
        private void OnDisable()
        {
            _isOn = false;
            AudioSettings.OnAudioConfigurationChanged -= DeviceChanged;
            StopLoading();
            Stop();
        }

        private void OnValidate() => Volume = volume;

        /// <summary>
        /// Losing the focus alone (OnApplicationFocus) changes nothing: where it stops the game, as without Run In Background,
        /// this is called, too.
        /// </summary>
        private void OnApplicationPause(bool paused)
        {
            // Unity tells at the start, too, that there is no pause; and others may be listening to an attached session.
            var session = _session;
            if (paused == _pausedByApplication || session == null || !session.IsOurs) return;
            _pausedByApplication = paused;
            if (!_pausedByGame) SteerPaused(paused);
        }

        private void OnApplicationQuit()
        {
            Stop();
            Departures.Await();
        }

        private void Update()
        {
            Raise();
            // A handler of the game may have stopped it, or begun another.
            var session = _session;
            if (session != null) SteerParameters(session);
        }

        /// <summary>On the audio thread: no lock, no allocation, nothing of Unity.</summary>
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

        private static int Latency()
        {
            AudioSettings.GetDSPBufferSize(out int length, out int count);
            return (int)((long)length * count * SoundtrackMixer.SampleRate / AudioSettings.outputSampleRate);
        }
    }
}
