// SPDX-License-Identifier: Apache-2.0
using System.Globalization;
using Segue;
using Segue.Audio;
using UnityEditor;
using UnityEngine;

namespace SegueEditor
{
    /// <summary>How a player's session stands.</summary>
    internal static class PlayerMeters
    {
        /// <param name="leadMs">What the buffer is measured by; 0: not known.</param>
        public static void Draw(SoundtrackSession session, int leadMs)
        {
            var mixer = session.Mixer;
            EditorGUILayout.LabelField("Connection", session.State.ToString());
            // Other threads change what is read here: as many fields every time, or the layout breaks.
            EditorGUILayout.LabelField("Error", session.Error?.Message ?? "–", EditorStyles.wordWrappedMiniLabel);
            EditorGUILayout.LabelField("Music", session.MusicState.Length > 0 ? session.MusicState : "–");
            EditorGUILayout.LabelField("Heard", mixer.Mode + ", " + Time(mixer.Playhead));
            float buffer = mixer.Reserve * 1000f / SoundtrackMixer.SampleRate;
            Bar("Buffer", leadMs > 0 ? buffer / leadMs : 0f, Number(buffer, "0") + (leadMs > 0 ? " of " + leadMs : "") + " ms");
            EditorGUILayout.LabelField("Round trip", session.RoundTrip.Ticks == 0 ? "–" : Number(session.RoundTrip.TotalMilliseconds, "0.0") + " ms");
            EditorGUILayout.LabelField("Rate", Number(mixer.RatePerMillion == 0 ? 0 : mixer.RatePerMillion - 1000000, "+0;-0;0") + " ppm");
            EditorGUILayout.LabelField("Underruns", mixer.Underruns + ", late takes " + mixer.LateTakes + ", jumps " + mixer.Jumps);
            EditorGUILayout.LabelField("Reconnects", session.Reconnects + ", resumes " + session.Resumes + ", gaps " + session.Gaps);
        }

        private static void Bar(string label, float part, string text)
        {
            var rect = EditorGUI.PrefixLabel(EditorGUILayout.GetControlRect(), new GUIContent(label));
            EditorGUI.ProgressBar(rect, part, text);
        }

        private static string Time(long samples) =>
            samples < 0 ? "nothing yet" : Number(samples / (double)SoundtrackMixer.SampleRate, "0.0") + " s";

        private static string Number(double value, string form) => value.ToString(form, CultureInfo.InvariantCulture);
    }
}
